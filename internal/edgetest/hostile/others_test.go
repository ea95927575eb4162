package hostile

import (
	"strings"
	"testing"
	"time"
)

// others is somebody who would change what other people have said, speak in their name, or be always typing.
func others(t *testing.T, addr string, f format) {
	room := "/chat/room/others-" + f.name
	alice, mallory := f.enter(t, addr, room+"?username=alice"), f.enter(t, addr, room+"?username=alice") // the same name
	read := func(want string) map[string]any {
		t.Helper()
		for {
			op, payload, err := alice.Read()
			if err != nil || op == 8 {
				t.Fatalf("%s: %d %q %v", want, op, payload, err)
			}
			if m := f.decode(t, payload); m["type"] == want {
				return m
			}
		}
	}
	refused := func(pairs ...string) string {
		t.Helper()
		mallory.Raw([]byte(f.text(pairs...)))
		for {
			op, payload, err := mallory.Read()
			if err != nil || op == 8 {
				t.Fatalf("%v: %d %q %v", pairs, op, payload, err)
			}
			if m := f.decode(t, payload); m["type"] == "error" {
				code, _ := m["code"].(string)
				return code
			}
		}
	}
	alice.Raw([]byte(f.text("type", "message", "content", "mine", "author_key", "a secret that nobody guesses")))
	said := read("message")
	id, _ := said["id"].(string)
	for _, author := range []string{"x", "a secret", "A secret that nobody guesses"} {
		for _, kind := range []string{"edit", "delete"} {
			if code := refused("type", kind, "id", id, "content", "yours", "author_key", author); code != "forbidden" {
				t.Errorf("%s by %q: %s", kind, author, code)
			}
			if code := refused("type", kind, "id", id, "content", "yours"); code != "forbidden" {
				t.Errorf("%s by nobody: %s", kind, code)
			}
		}
		at := room + "/messages/" + id
		ask(t, addr, []request{
			{"DELETE by " + author, with("DELETE", at, "", "Author-Key: "+author), "403 forbidden +"},
			{"PATCH by " + author, with("PATCH", at, "yours", "Author-Key: "+author, "Content-Length: 5"), "403 forbidden +"},
			{"DELETE by nobody", with("DELETE", at, ""), "403 forbidden +"},
			{"DELETE from another room", with("DELETE", "/chat/room/others/messages/"+id, "", "Author-Key: a secret that nobody guesses"), "404 not_found +"},
		})
		time.Sleep(time.Second) // what an address may say over HTTP is not what this is about
	}
	// Typing is passed on at most once a second, however often it is said: within its rate of frames nobody is closed.
	for range 100 {
		mallory.Raw([]byte(f.text("type", "typing")))
	}
	mallory.Raw([]byte(f.text("type", "message", "content", "done")))
	typing := 0
	for done := false; !done; {
		op, payload, err := alice.Read()
		if err != nil || op == 8 {
			t.Fatalf("%d %q %v", op, payload, err)
		}
		switch m := f.decode(t, payload); m["type"] {
		case "typing":
			typing++
		case "message":
			done = m["content"] == "done"
		case "edited", "deleted":
			t.Errorf("%v", m)
		}
	}
	if typing < 1 || typing > 3 {
		t.Errorf("alice heard %d times that somebody types", typing)
	}
	mallory.Close()
	alice.Raw([]byte(f.text("type", "delete", "id", id, "author_key", "a secret that nobody guesses")))
	if m := read("deleted"); m["target"] != id {
		t.Errorf("%v", m)
	}
	if strings.Count(id, "-") != 1 {
		t.Errorf("id %q", id)
	}
}
