package server

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/codec"
	"edgechat/internal/edgetest"
	"edgechat/moderation"
	"edgechat/store"
)

// TestDeletedIsNowhere: what was deleted, or said in a room that was closed, is in no replay, page, backup or export of it, nor in the bytes of
// the files once the server has stopped, which is a checkpoint. Clients that were away learn of it.
func TestDeletedIsNowhere(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s, c := startAdmin(t, Config{Data: data, History: 20})
	const secret = "what nobody is to read again"
	say := func(room, text string) string {
		t.Helper()
		resp, body := raw(t, s, "POST /chat/room/"+room+"/messages?username=Ann\n\n"+text)
		if resp.StatusCode != 201 {
			t.Fatalf("%s %s", resp.Status, body)
		}
		_, id, _ := strings.Cut(string(body), `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		return id
	}
	kept := say("den", "what stays")
	gone := say("den", secret)
	for i := range 30 { // some of it is displaced before the room is closed
		say("cellar", fmt.Sprint(secret, i))
	}
	do := func(act moderation.Act) {
		t.Helper()
		if done, err := c.Moderate(t.Context(), act); err != nil || !done.Durable {
			t.Fatalf("%+v: %+v, %v", act, done, err)
		}
	}
	do(moderation.Act{Act: moderation.ActDelete, Room: "den", ID: gone})
	do(moderation.Act{Act: moderation.ActClose, Room: "cellar"})

	nowhere := func(what string, b []byte) {
		t.Helper()
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("it is in %s", what)
		}
	}
	for _, room := range []string{"den", "cellar"} {
		_, page := raw(t, s, "GET /chat/room/"+room+"/messages")
		nowhere("a page of "+room, page)
	}
	in := edgetest.Dial(t, s.url+"/chat/room/den?since="+kept, jsonProtocol)
	if m := in.JSONOf("message"); m["id"] != gone || m["deleted"] != true || m["content"] != nil {
		t.Errorf("a replay has %v", m)
	}
	if m := in.JSONOf("deleted"); m["target"] != gone || m["username"] != operatorName {
		t.Errorf("who was away is told %v", m)
	}
	var backup bytes.Buffer
	if err := c.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	nowhere("a backup", backup.Bytes())
	exported := 0
	if _, err := store.ReadBackup(&backup, func(room []codec.Record) error { // as edgechat export does
		for i := range room {
			exported++
			nowhere("an export", []byte(room[i].Message.Content))
		}
		return nil
	}); err != nil || exported == 0 {
		t.Errorf("%d messages exported, %v", exported, err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(data, "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		nowhere(name, b)
	}
}
