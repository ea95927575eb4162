package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgechat/moderation"
	"edgechat/ws"
)

// A polled is the answer to a request that waited.
type polled struct {
	status int
	header http.Header
	body   string
}

// poll sends a request that waits, and returns once it does.
func (r *rig) poll(query string, headers ...string) <-chan polled {
	r.t.Helper()
	before := r.rt.Stats().Waits
	answer := make(chan polled, 1)
	go func() {
		status, header, body := r.do("GET", "/chat/room/den/messages?"+query, "", headers...)
		answer <- polled{status, header, body}
	}()
	eventually(r.t, "it waits", func() bool { return r.rt.Stats().Waits > before || len(answer) > 0 })
	return answer
}

// TestPoll: what is said is answered at once, in each form, and silence with an empty page.
func TestPoll(t *testing.T) {
	r := newRig(t)
	first := r.say("den", "first").String()
	for _, accept := range []string{"application/json", "application/x-ndjson", "application/msgpack"} {
		since := r.store.Head("den").String()
		waiting := r.poll("since="+since+"&wait=60", "Accept: "+accept)
		r.say("attic", "elsewhere")
		if len(waiting) != 0 {
			t.Fatalf("answered for nothing: %+v", <-waiting)
		}
		if _, _, body := r.do("GET", "/chat/room/den/members", ""); !strings.Contains(body, `"members":[]`) {
			t.Errorf("who waits is announced: %s", body)
		}
		id := r.say("den", "next as "+accept).String()
		if a := <-waiting; a.status != 200 || !strings.Contains(a.body, "next as "+accept) || !strings.Contains(a.body, id) || a.header.Get("Edgechat-Recovered") != "true" {
			t.Errorf("%+v", a)
		}
	}
	last := r.store.Head("den").String()
	for _, query := range []string{"since=" + first + "&wait=60", "since=all&wait=60", "since=unheard-1&wait=60", "since=" + last + "&wait=0"} { // nothing to wait for
		if status, _, body := r.do("GET", "/chat/room/den/messages?"+query, ""); status != 200 || strings.Contains(body, `"messages":[]`) != strings.HasSuffix(query, "=0") {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	began := time.Now()
	status, _, body := r.do("GET", "/chat/room/den/messages?wait=1&since="+last, "")
	if took := time.Since(began); status != 200 || !strings.Contains(body, `"recovered":true,"messages":[]`) || took < time.Second {
		t.Errorf("silence: %d %s after %v", status, body, took)
	}
	if status, _, _ := r.do("HEAD", "/chat/room/den/messages?wait=60&since="+last, ""); status != 200 {
		t.Errorf("HEAD: %d", status)
	}
	for _, query := range []string{"wait=1", "wait=61&since=all", "wait=-1&since=all", "wait=1s&since=all", "wait=1.5&since=all", "wait=5&before=" + last} {
		if status, _, body := r.do("GET", "/chat/room/den/messages?"+query, ""); status != 400 || !strings.Contains(body, "wait") {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	eventually(t, "nobody waits", func() bool { return r.rt.Stats().Waits == 0 && r.hub.Stats().Rooms == 0 })
}

// TestPollInEmptyRoom: the first message of a room is heard, too.
func TestPollInEmptyRoom(t *testing.T) {
	r := newRig(t)
	waiting := r.poll("since=all&wait=60")
	r.say("den", "hello")
	if a := <-waiting; a.status != 200 || !strings.Contains(a.body, "hello") {
		t.Errorf("%+v", a)
	}
}

// TestPollChain: who asks again from the id of the last answer on misses nothing, however fast others talk.
func TestPollChain(t *testing.T) {
	r := newRig(t)
	const count = 100
	since := r.say("den", "start").String()
	go func() {
		for n := range count {
			r.say("den", fmt.Sprint(n))
			if n%7 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for next := 0; next < count; {
		_, _, body := r.do("GET", "/chat/room/den/messages?wait=30&since="+since, "")
		var page struct {
			Messages []struct{ ID, Content string }
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Messages) == 0 {
			t.Fatalf("%s %v", body, err)
		}
		for _, m := range page.Messages {
			if m.Content != fmt.Sprint(next) {
				t.Fatalf("%s in place of %d", m.Content, next)
			}
			next++
			since = m.ID
		}
	}
}

// TestPollEnds: by a moderator, by a stop, and by its client; and there are no more of them than may be.
func TestPollEnds(t *testing.T) {
	r := newRig(t, func(s *setup) { s.ws.Limits = ws.Limits{Plain: 8} })
	since := r.say("den", "first").String()
	wait := "since=" + since + "&wait=60"
	var waiting []<-chan polled
	for n := range 4 {
		waiting = append(waiting, r.poll(fmt.Sprint(wait, "&username=u", n)))
	}
	if a := <-r.poll(wait); a.status != 503 || !strings.Contains(a.body, "--streams") || a.header.Get("Retry-After") == "" {
		t.Errorf("a fifth: %+v", a)
	}
	if status, _, _ := r.do("GET", "/chat/room/den/messages", ""); status != 200 {
		t.Errorf("who does not wait: %d", status)
	}
	if _, err := r.chat.Moderate(t.Context(), Moderator{By: "test"}, moderation.Act{Act: moderation.ActBan, Name: "u0"}); err != nil {
		t.Fatal(err)
	}
	if a := <-waiting[0]; a.status != 403 || !strings.Contains(a.body, "banned") {
		t.Errorf("%+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", r.http+"/chat/room/den/messages?"+wait, nil)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { _, err := http.DefaultTransport.RoundTrip(req); over <- err }()
	eventually(t, "it waits", func() bool { return r.rt.Stats().Waits == 4 })
	cancel()
	if err := <-over; err == nil {
		t.Error("it was answered")
	}
	eventually(t, "its place is free", func() bool { return r.rt.Stats().Waits == 3 })

	stop, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := r.rt.Shutdown(stop, 1012, ""); err != nil {
		t.Error(err)
	}
	for _, w := range waiting[1:] {
		if a := <-w; a.status != 200 || !strings.Contains(a.body, `"messages":[]`) {
			t.Errorf("at the stop: %+v", a)
		}
	}
	if a := <-r.poll(wait); a.status != 503 || !strings.Contains(a.body, "unavailable") {
		t.Errorf("behind it: %+v", a)
	}
}
