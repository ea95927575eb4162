package chat

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// TestOneRoomOfTwoSpellings: who writes a room with a letter and its mark, and who writes them as one, meet.
func TestOneRoomOfTwoSpellings(t *testing.T) {
	const composed, apart = "K\u00fcche", "Ku\u0308che"
	r := newRig(t)
	ann := r.room(url.PathEscape(apart), "username=Ann", jsonHeader)
	if m := ann.JSONOf("subscribed"); m["room"] != composed {
		t.Errorf("subscribed to %+q", m["room"])
	}
	many := edgetest.Dial(t, r.ws+"/chat?username=Bob", jsonHeader)
	many.JSONOf("welcome")
	many.Text(`{"type":"join","room":"` + apart + `"}`)
	if m := many.JSONOf("subscribed"); m["room"] != composed || m["members"] != 2.0 {
		t.Errorf("subscribed as %v", m)
	}
	for i, room := range []string{composed, apart} {
		if status, _, body := r.do("POST", "/chat/room/"+url.PathEscape(room)+"/messages", "over HTTP"); status != 201 {
			t.Errorf("%+q: %d %s", room, status, body)
		}
		many.Text(`{"type":"message","room":"` + room + `","content":"of one of many"}`)
		for range 2 {
			ann.JSONOf("message")
			if m := many.JSONOf("message"); m["room"] != composed {
				t.Errorf("message %d is of room %+q", i, m["room"])
			}
		}
		for _, path := range []string{"messages", "members"} {
			if status, _, body := r.do("GET", "/chat/room/"+url.PathEscape(room)+"/"+path, ""); status != 200 || !strings.Contains(body, composed) || strings.Contains(body, apart) {
				t.Errorf("%s of %+q: %d %+q", path, room, status, body)
			}
		}
	}
	many.Text(`{"type":"leave","room":"` + apart + `"}`)
	if m := many.JSONOf("unsubscribed"); m["room"] != composed {
		t.Errorf("unsubscribed from %+q", m["room"])
	}
	if _, _, body := r.do("GET", "/chat/rooms?all=1", ""); strings.Count(body, `"room"`) != 1 {
		t.Errorf("rooms: %s", body)
	}
}

// TestReservedNames: with tokens, nobody speaks under their names without one, nor under what looks like them.
func TestReservedNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token, err := auth.Create(path, auth.Grant{Name: "Admin", Access: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := auth.New(auth.Config{Tokens: tokens, Anonymous: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(s *setup) { s.chat.Auth = checker })
	for _, name := range []string{"Admin", "admin", " ADMIN ", "\u0430dmin", "adm\u0131n", "\uff21dmin"} {
		query := "?username=" + url.QueryEscape(name)
		for _, path := range []string{"/chat/room/den", "/chat"} {
			if c := edgetest.TryDial(t, r.ws+path+query, jsonHeader); c.Response.StatusCode != 409 {
				t.Errorf("%s as %+q: %s", path, name, c.Response.Status)
			}
		}
		status, _, body := r.do("POST", "/chat/room/den/messages"+query, "x")
		if code, message := errorOf(body); status != 409 || code != "name_taken" || !strings.Contains(message, "token") {
			t.Errorf("POST as %+q: %d %s", name, status, body)
		}
		status, _, body = r.do("POST", "/chat/room/den/messages", `{"content":"x","username":"`+name+`"}`, "Content-Type: application/json")
		if code, _ := errorOf(body); status != 409 || code != "name_taken" {
			t.Errorf("POST of %+q: %d %s", name, status, body)
		}
	}
	if m := r.room("den", "username=Administrator", jsonHeader).JSONOf("subscribed"); m["username"] != "Administrator" {
		t.Errorf("subscribed as %v", m)
	}
	if m := r.room("den", "", jsonHeader, "Authorization: Bearer "+token).JSONOf("subscribed"); m["username"] != "Admin" {
		t.Errorf("subscribed as %v", m)
	}
	// A token that is made while the server runs keeps its name as well.
	if _, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Write}); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	if status, _, body := r.do("POST", "/chat/room/den/messages?username=ann", "x"); status != 409 {
		t.Errorf("as ann: %d %s", status, body)
	}
}

// TestInvisibleNames: characters that cannot be seen are in no name, by any way in which one comes; each is named in the answer.
func TestInvisibleNames(t *testing.T) {
	r := newRig(t)
	for _, c := range []rune{0x200c, 0x200d, 0xfe0f, 0x34f, 0x115f, 0x3164, 0xffa0, 0x2800, 0xe0100} {
		name := "Ann" + string(c)
		for _, path := range []string{"/chat/room/den", "/chat"} {
			if res := edgetest.TryDial(t, r.ws+path+"?username="+url.QueryEscape(name), jsonHeader).Response; res.StatusCode != 400 {
				t.Errorf("%s as %+q: %s", path, name, res.Status)
			}
		}
		for _, path := range []string{"/chat/rooms", "/chat/room/den/members", "/chat/room/den/messages", "/chat/room/den/events"} {
			status, _, body := r.do("GET", path+"?username="+url.QueryEscape(name), "")
			if code, message := errorOf(body); status != 400 || code != "invalid_username" || !strings.Contains(message, "U+") {
				t.Errorf("%s as %+q: %d %s", path, name, status, body)
			}
		}
		status, _, body := r.do("POST", "/chat/room/den/messages", `{"content":"x","username":"`+name+`"}`, "Content-Type: application/json")
		if code, _ := errorOf(body); status != 400 || code != "invalid_username" {
			t.Errorf("POST of %+q: %d %s", name, status, body)
		}
		if res := edgetest.TryDial(t, r.ws+"/chat/room/"+url.PathEscape(name), jsonHeader).Response; res.StatusCode != 400 {
			t.Errorf("room %+q: %s", name, res.Status)
		}
		status, _, body = r.do("POST", "/chat/room/"+url.PathEscape(name)+"/messages", "x")
		if code, _ := errorOf(body); status != 400 || code != "invalid_room" {
			t.Errorf("POST to room %+q: %d %s", name, status, body)
		}
	}
}
