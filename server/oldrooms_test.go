package server

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/admin"
	"edgechat/moderation"
	"edgechat/refusal"
)

// TestOldRooms: a file of before names had one form has rooms that nobody can name now. That is said in the log and by the admin socket, with what mends
// it; the others are as ever.
func TestOldRooms(t *testing.T) {
	data := t.TempDir()
	zipped, err := os.Open("testdata/old-rooms.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer zipped.Close()
	r, err := gzip.NewReader(zipped)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "edgechat.db"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, c := startAdmin(t, Config{Data: data})
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Warnings) != 1 || st.Warnings[0].Code != "rooms" || !strings.Contains(st.Warnings[0].Message, `2 rooms`) || !strings.Contains(st.Warnings[0].Message, `"Ku\u0308che" "\uff24en"`) ||
		!strings.Contains(st.Warnings[0].Hint, "edgechat import") {
		t.Errorf("%+v", st.Warnings)
	}
	if !s.log.Has(`msg="rooms of another form" rooms=2`) {
		t.Errorf("the log: %s", s.log)
	}
	for _, room := range []string{"K\u00fcche", "Ku\u0308che"} { // each spelling is the room that has the present form
		res, err := http.Get(s.url + "/chat/room/" + url.PathEscape(room) + "/messages")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		if body := string(answer); errors.Join(err, res.Body.Close()) != nil || !strings.Contains(body, "composed") || strings.Contains(body, "apart") {
			t.Errorf("%+q: %s", room, body)
		}
	}
	if st, _ := startOn(t); len(st) != 0 {
		t.Errorf("of a new store: %+v", st)
	}
}

// startOn returns the warnings of a server with a new store.
func startOn(t *testing.T) ([]admin.Problem, error) {
	t.Helper()
	_, c := startAdmin(t, Config{})
	st, err := c.Status(t.Context())
	return st.Warnings, err
}

// TestAdminNames: the admin socket takes rooms and names in any spelling, as chat does, and says what is wrong with those that can be none.
func TestAdminNames(t *testing.T) {
	s, c := startAdmin(t, Config{})
	const composed, apart = "K\u00fcche", "Ku\u0308che"
	res, err := http.Post(s.url+"/chat/room/"+url.PathEscape(composed)+"/messages?username=Ann", "text/plain", strings.NewReader("hi"))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	room, err := c.Room(t.Context(), apart)
	if err != nil || room.Name != composed {
		t.Errorf("room: %+v, %v", room, err)
	}
	if _, err := c.Moderate(t.Context(), moderation.Act{Act: moderation.ActBan, Room: apart, Name: "Zoe\u0308"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{composed, apart} {
		rules, err := c.Rules(t.Context(), name)
		if err != nil || len(rules) != 1 || rules[0].Room != composed || rules[0].Name != "Zo\u00eb" {
			t.Errorf("rules of %+q: %+v, %v", name, rules, err)
		}
	}
	if _, err := c.Moderate(t.Context(), moderation.Act{Act: moderation.ActUnban, Room: apart, Name: "Zo\u00eb"}); err != nil {
		t.Errorf("the ban is not found: %v", err)
	}
	_, e1 := c.Room(t.Context(), "a b")
	_, e2 := c.Rules(t.Context(), "a\u200b")
	_, e3 := c.Moderate(t.Context(), moderation.Act{Act: moderation.ActClose, Room: "a&b"})
	_, e4 := c.Moderate(t.Context(), moderation.Act{Act: moderation.ActBan, Name: "a\u200b"})
	for i, err := range []error{e1, e2, e3, e4} {
		want := refusal.InvalidRoom
		if i == 3 {
			want = refusal.InvalidUsername
		}
		if e, ok := errors.AsType[*refusal.Error](err); err == nil || ok && e.Code != want || !strings.Contains(err.Error(), "U+") && !strings.Contains(err.Error(), "may not hold") {
			t.Errorf("%d: %v", i, err)
		}
	}
}
