package chat

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// revision is a frame that changes the message with this id.
func revision(typ string, id any, more string) string {
	return fmt.Sprintf(`{"type":%q,"id":%q%s}`, typ, id, more)
}

// TestRevise: who has said something changes it, on the same connection or with the key of before; everyone hears of it,
// and who comes later reads what there is now.
func TestRevise(t *testing.T) {
	r := newRig(t)
	ann := r.room("den", "username=ann", jsonHeader)
	expect(t, ann, "subscribed")
	expect(t, ann, "joined")
	ann.Text(`{"type":"message","content":"hi"}`)
	said := expect(t, ann, "message")
	ann.Text(`{"type":"message","content":"secret","author_key":"s3cret"}`)
	kept := expect(t, ann, "message", "author_key", nil)
	bob := r.room("den", "username=bob", jsonHeader)
	expect(t, bob, "subscribed")
	expect(t, bob, "joined")
	expect(t, ann, "joined")

	for _, frame := range []string{
		revision("edit", said["id"], `,"content":"x","idempotency_key":"k"`),
		revision("delete", said["id"], `,"idempotency_key":"k","author_key":"another"`),
		revision("delete", kept["id"], `,"idempotency_key":"k","author_key":"s3cret "`),
	} {
		bob.Text(frame)
		expect(t, bob, "error", "code", "forbidden", "idempotency_key", "k")
	}
	both := []*edgetest.Client{ann, bob}
	ann.Text(revision("edit", said["id"], `,"content":"ho","idempotency_key":"e"`))
	edited, ack := acked(t, ann, "edited", "username", "ann", "target", said["id"], "content", "ho", "offset", 3.0)
	is(t, ack, "ack", "idempotency_key", "e")
	expect(t, bob, "edited", "username", "ann", "target", said["id"], "content", "ho", "offset", 3.0, "id", edited["id"])
	ann.Text(revision("edit", said["id"], `,"content":"again","idempotency_key":"e"`)) // as it is sent again
	expect(t, ann, "ack", "idempotency_key", "e", "id", edited["id"], "offset", 3.0)

	// Ann's first message with a key is hers still, though she has shown it once only; and Bob's, once he knows it.
	ann.Text(revision("edit", kept["id"], `,"content":"mine"`))
	for _, c := range both {
		expect(t, c, "edited", "target", kept["id"], "content", "mine", "username", "ann")
	}
	bob.Text(revision("delete", kept["id"], `,"author_key":"s3cret"`))
	for _, c := range both {
		expect(t, c, "deleted", "target", kept["id"], "username", "bob", "content", nil, "offset", 5.0)
	}
	for _, id := range []any{kept["id"], edited["id"], "e0-1", strings.Split(said["id"].(string), "-")[0] + "-99"} {
		ann.Text(revision("delete", id, `,"idempotency_key":"k"`))
		expect(t, ann, "error", "code", "not_found", "idempotency_key", "k")
	}
	if got := r.log.String(); strings.Contains(got, "publish failed") || strings.Contains(got, "s3cret") {
		t.Errorf("the log says %s", got)
	}

	// Who comes now, in either format, and the history.
	late := r.room("den", "since=all", jsonHeader)
	expect(t, late, "subscribed")
	expect(t, late, "message", "id", said["id"], "content", "ho", "edited", true)
	expect(t, late, "message", "id", kept["id"], "content", nil, "deleted", true, "edited", nil)
	expect(t, late, "edited", "target", said["id"], "content", "ho")
	expect(t, late, "edited", "target", kept["id"], "content", nil, "deleted", true)
	expect(t, late, "deleted", "target", kept["id"])
	packed := r.room("den", "since=all", msgpackHeader)
	packed.Expect(edgetest.OpBinary)
	if got := string(packed.Expect(edgetest.OpBinary)); !strings.Contains(got, "\xa7content\xa2ho") || !strings.HasSuffix(got, "\xa6edited\xc3") {
		t.Errorf("edited, in MessagePack: %q", got)
	}
	if got := string(packed.Expect(edgetest.OpBinary)); strings.Contains(got, "content") || !strings.HasSuffix(got, "\xa7deleted\xc3") {
		t.Errorf("deleted, in MessagePack: %q", got)
	}
	_, _, page := r.do("GET", "/chat/room/den/messages", "")
	for _, gone := range []string{`"hi"`, "secret", "mine", "s3cret"} {
		if strings.Contains(page, gone) {
			t.Errorf("%s is in the history: %s", gone, page)
		}
	}
}

// TestReviseLater: a plain client on another connection shows the key, after a restart too.
func TestReviseLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edgechat.db")
	where := func(s *setup) { s.store.Path = path }
	var id any
	t.Run("before", func(t *testing.T) {
		r := newRig(t, where)
		c := r.room("den", "username=ann", jsonHeader)
		c.Text(`{"type":"message","content":"hi","author_key":"s3cret","idempotency_key":"k"}`)
		id = c.JSONOf("ack")["id"]
	})
	t.Run("after", func(t *testing.T) {
		r := newRig(t, where)
		c := r.room("den", "username=ann")
		expect(t, c, "joined")
		c.Text(revision("edit", id, `,"content":"ho"`))
		expect(t, c, "error", "code", "forbidden")
		c.Text(revision("edit", id, `,"content":"ho","author_key":"s3cret","idempotency_key":"e"`))
		expect(t, c, "edited", "target", id, "content", "ho") // and no ack
		c.Text(revision("delete", id, ""))                    // it has shown the key
		expect(t, c, "deleted", "target", id)
	})
}

// TestReviseTokens: a token is the author wherever it connects, whoever calls himself like it is not, and a moderator
// deletes, and edits nothing.
func TestReviseTokens(t *testing.T) {
	den := []string{"den"}
	config, header := tokens(t, auth.Write, map[string]grant{"Ann": {auth.Write, den}, "Bob": {auth.Write, den}, "Mod": {auth.Moderate, den}, "Eve": {auth.Read, den}})
	r := newRig(t, config)
	one := r.room("den", "announce=0", jsonHeader, header["Ann"])
	expect(t, one, "subscribed")
	var ids []any
	for i := range 3 {
		one.Text(fmt.Sprintf(`{"type":"message","content":"%d","author_key":"k"}`, i))
		ids = append(ids, expect(t, one, "message", "username", "Ann")["id"])
	}
	other := func(name, query string) *edgetest.Client {
		headers := []string{jsonHeader}
		if h := header[name]; h != "" {
			headers = append(headers, h)
		}
		c := r.room("den", query+"&announce=0", headers...)
		expect(t, c, "subscribed")
		return c
	}
	for name, query := range map[string]string{"Bob": "", "nobody": "username=Anton", "Eve": ""} {
		c := other(name, query)
		for _, frame := range []string{revision("edit", ids[0], `,"content":"x","author_key":"k"`), revision("delete", ids[0], `,"author_key":"k"`)} {
			c.Text(frame)
			expect(t, c, "error", "code", "forbidden")
		}
	}
	two := other("Ann", "")
	two.Text(revision("edit", ids[0], `,"content":"mine"`))
	expect(t, two, "edited", "target", ids[0], "content", "mine")
	mod := other("Mod", "")
	mod.Text(revision("edit", ids[1], `,"content":"x"`))
	expect(t, mod, "error", "code", "forbidden")
	mod.Text(revision("delete", ids[1], ""))
	expect(t, mod, "deleted", "target", ids[1], "username", "Mod")
	mod.Text(`{"type":"message","content":"be nice"}`)
	expect(t, mod, "message", "username", "Mod")

	path := func(id any) string { return "/chat/room/den/messages/" + id.(string) }
	for _, by := range []struct {
		name string
		want int
	}{{"Bob", 403}, {"Eve", 403}, {"Mod", 200}, {"Ann", 404}} {
		if status, _, body := r.do("DELETE", path(ids[2]), "", header[by.name]); status != by.want {
			t.Errorf("DELETE by %s: %d %s", by.name, status, body)
		}
	}
	if status, _, body := r.do("PATCH", path(ids[0]), "by post", header["Ann"]); status != 200 || !strings.Contains(body, `"content":"by post"`) {
		t.Errorf("PATCH by Ann: %d %s", status, body)
	}
	if status, _, body := r.do("PATCH", path(ids[0]), "by post"); status != 403 || !strings.Contains(body, "author_key") {
		t.Errorf("PATCH by nobody: %d %s", status, body)
	}
}

// TestReviseMany: with the name of the room on a connection of several.
func TestReviseMany(t *testing.T) {
	r := newRig(t)
	c := r.many("username=ann")
	for _, room := range []string{"den", "attic"} {
		c.Text(fmt.Sprintf(`{"type":"join","room":%q,"announce":false}`, room))
		expect(t, c, "subscribed")
	}
	c.Text(`{"type":"message","room":"den","content":"hi"}`)
	said := expect(t, c, "message", "room", "den")
	c.Text(revision("edit", said["id"], `,"content":"x","idempotency_key":"k"`))
	expect(t, c, "error", "code", "invalid_message", "room", nil, "idempotency_key", "k")
	c.Text(revision("edit", said["id"], `,"content":"x","room":"attic","idempotency_key":"k"`))
	expect(t, c, "error", "code", "not_found", "room", "attic", "idempotency_key", "k")
	c.Text(revision("edit", said["id"], `,"content":"x","room":"cellar"`))
	expect(t, c, "error", "code", "not_joined", "room", "cellar")
	c.Text(revision("edit", said["id"], `,"content":"ho","room":"den","idempotency_key":"e"`))
	_, ack := acked(t, c, "edited", "room", "den", "target", said["id"], "content", "ho", "username", "ann")
	is(t, ack, "ack", "idempotency_key", "e")
	c.Text(revision("delete", said["id"], `,"room":"den","idempotency_key":"d"`))
	_, ack = acked(t, c, "deleted", "room", "den", "target", said["id"])
	is(t, ack, "ack", "idempotency_key", "d")
	if rooms := r.store.Stats().Rooms; rooms != 1 {
		t.Errorf("%d rooms: one was made by what changes nothing", rooms)
	}
}
