package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"edgechat/codec"
	"edgechat/hub"
	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// TestCloseRoom: all are out, what was said is no more, and the room may be entered again, at once or when it is opened.
func TestCloseRoom(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.History = 50 })
	for i := range 60 {
		id := r.say("den", fmt.Sprintf("secret %d", i))
		if i%20 == 15 { // some are edited, and displaced before their edit is
			r.do("PATCH", "/chat/room/den/messages/"+id.String(), "secret edit", "Author-Key: none")
		}
	}
	author := "Author-Key: a"
	_, _, body := r.do("POST", "/chat/room/den/messages", "secret first", author)
	var first struct{ ID string }
	if err := json.Unmarshal([]byte(body), &first); err != nil {
		t.Fatal(err)
	}
	for i := range 48 {
		r.say("den", fmt.Sprintf("secret %d", i))
	}
	if status, _, body := r.do("PATCH", "/chat/room/den/messages/"+first.ID, "secret edit", author); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	r.say("den", "secret last") // displaces what was edited, and not the edit
	ann := r.room("den", "username=Ann", jsonHeader)
	ann.JSONOf("subscribed")
	many := edgetest.Dial(t, r.ws+"/chat?username=Ann", jsonHeader)
	many.Text(`{"type":"join","room":"den"}`)
	many.JSONOf("subscribed")
	done := r.does(`{"act":"close","room":"den","reason":"enough"}`)
	if done.Closed != 2 || done.Deleted < 49 || !done.Durable {
		t.Errorf("%+v", done)
	}
	closedWith(t, ann, "room_closed", "a moderator has closed this room: enough")
	if m := many.JSONOf("error"); m["code"] != "room_closed" || m["room"] != "den" {
		t.Errorf("%v", m)
	}
	if _, _, page := r.do("GET", "/chat/room/den/messages?limit=300", ""); strings.Contains(page, "secret") || !strings.Contains(page, `"type":"deleted"`) {
		t.Errorf("a page: %.2000s", page)
	}
	again := r.room("den", "username=Ann&since=all", jsonHeader)
	again.JSONOf("subscribed")

	r.does(`{"act":"close","room":"den","for":"1h"}`)
	closedWith(t, again, "room_closed", "for another 1h")
	if c := edgetest.TryDial(t, r.ws+"/chat/room/den"); c.Response.StatusCode != 403 {
		t.Errorf("a room that is closed: %s", c.Response.Status)
	}
	if status, _, body := r.do("POST", "/chat/room/den/messages", "x"); status != 403 || !strings.Contains(body, "room_closed") {
		t.Errorf("a post there: %d %s", status, body)
	}
	r.does(`{"act":"open","room":"den"}`)
	r.room("den", "", jsonHeader).JSONOf("subscribed")
	r.refuses(`{"act":"open","room":"den"}`, refusal.NotFound, "")
}

// An unreadLog is one whose disk gives nothing.
type unreadLog struct {
	hub.Log
	unread atomic.Bool
}

func (l *unreadLog) Read(room string, q codec.Query) (codec.Page, error) {
	page, err := l.Log.Read(room, q)
	if l.unread.Load() {
		page.Messages, page.Recovered, page.Unread = nil, false, true
	}
	return page, err
}

// TestCloseUnread: a room is not said to be erased while the disk does not give what there is to erase.
func TestCloseUnread(t *testing.T) {
	var log unreadLog
	r := newRig(t, func(s *setup) {
		s.log = func(l hub.Log) hub.Log { log.Log = l; return &log }
	})
	r.say("den", "secret")
	log.unread.Store(true)
	r.refuses(`{"act":"close","room":"den","reason":"enough"}`, refusal.Unavailable, "close the room again")
	log.unread.Store(false)
	if done := r.does(`{"act":"close","room":"den","reason":"enough"}`); done.Deleted != 1 {
		t.Errorf("%+v", done)
	}
	if _, _, page := r.do("GET", "/chat/room/den/messages", ""); strings.Contains(page, "secret") {
		t.Errorf("a page: %.2000s", page)
	}
}

// TestDeleteFor: a moderator deletes what somebody else has said.
func TestDeleteFor(t *testing.T) {
	r := newRig(t)
	id := r.say("den", "secret").String()
	ann := r.room("den", "username=Ann", jsonHeader)
	ann.JSONOf("subscribed")
	if done := r.does(`{"act":"delete","room":"den","id":"` + id + `"}`); !done.Durable || done.Deleted != 1 {
		t.Errorf("%+v", done)
	}
	if m := ann.JSONOf("deleted"); m["target"] != id || m["username"] != "admin" {
		t.Errorf("%v", m)
	}
	r.refuses(`{"act":"delete","room":"den","id":"`+id+`"}`, refusal.NotFound, "deleted")
	r.refuses(`{"act":"delete","room":"den","id":"?"}`, refusal.InvalidQuery, "id")
	r.refuses(`{"act":"ban","name":"\u0000"}`, refusal.InvalidUsername, "")
	r.refuses(`{"act":"close","room":"a b"}`, refusal.InvalidRoom, "")
}
