package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edgechat/chat"
	"edgechat/limit"
	"edgechat/server"
)

// Two talk over ten restarts: each message is acknowledged once and handed out once, in the order in which it was said.
func TestRestarts(t *testing.T) {
	const restarts, each = 10, 6
	b := newBoard(t, server.Config{})
	reader := in(t, Config{URL: b.url, Username: "Ann"})
	writer := in(t, Config{URL: b.url, Username: "Bob", WriteOnly: true})
	said := make(chan string, 2*each)
	acks := make(chan Ack, 2*each)
	failed := make(chan error, 1)
	go func() { // ends with said
		defer close(acks)
		for content := range said {
			ack, err := writer.Publish(t.Context(), content)
			if err != nil {
				failed <- err
				return
			}
			acks <- ack
		}
		failed <- nil
	}()
	offset := uint64(0)
	for i := range restarts {
		for j := range each {
			said <- fmt.Sprint(i, ".", j)
		}
		b.stop() // in the middle of them
		b.start()
		for j, e := range hear(t, reader, each, Message, Gap) {
			ack := <-acks
			if e.Content != fmt.Sprint(i, ".", j) || e.Username != "Bob" || e.Offset != offset+1 || e.ID != ack.ID || e.Offset != ack.Offset || !ack.Durable {
				t.Fatalf("round %d: message %d is %+v, acknowledged as %+v", i, j, e, ack)
			}
			offset = e.Offset
		}
	}
	close(said)
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// Who comes back with an ID gets what came after it; what the buffer has lost is told.
func TestSince(t *testing.T) {
	b := newBoard(t, server.Config{History: 5})
	w := in(t, Config{URL: b.url, Username: "Bob", WriteOnly: true})
	first := say(t, w, "m0")
	for i := range 3 {
		say(t, w, fmt.Sprint("m", i+1))
	}
	got := hear(t, in(t, Config{URL: b.url, Since: first.ID}), 3, Message, Gap)
	for i, e := range got {
		if e.Content != fmt.Sprint("m", i+1) || e.Live {
			t.Errorf("%+v", e)
		}
	}
	if all := hear(t, in(t, Config{URL: b.url, Since: All, Limit: 2}), 2, Message, Gap); all[0].Content != "m2" {
		t.Errorf("%+v", all)
	}
	for i := range 5 {
		say(t, w, fmt.Sprint("n", i))
	}
	got = hear(t, in(t, Config{URL: b.url, Since: first.ID}), 3, Message, Gap)
	if got[0].Type != Gap || got[1].Content != "n0" || got[2].Content != "n1" {
		t.Errorf("%+v", got)
	}
	if again := hear(t, in(t, Config{URL: b.url, Since: All}), 1, Message, Gap); again[0].Content != "n0" {
		t.Errorf("%+v", again)
	}
}

// While nobody takes the events nothing is lost, though the server gives up on the connection.
func TestSlowReader(t *testing.T) {
	const n = 60
	b := newBoard(t, server.Config{Limits: chat.Limits{Messages: limit.Rate{N: 10_000}, Bytes: limit.Rate{N: 1 << 30}}, History: n})
	r := in(t, Config{URL: b.url, Queue: 1})
	w := in(t, Config{URL: b.url, Username: "Bob", WriteOnly: true})
	for i := range n {
		say(t, w, fmt.Sprint(i, strings.Repeat(".", 4000)))
	}
	b.stop()
	b.start()
	for i, e := range hear(t, r, n, Message, Gap) {
		if !strings.HasPrefix(e.Content, fmt.Sprint(i, ".")) {
			t.Fatalf("event %d is %.80q", i, e.Content)
		}
	}
}

// What the server takes later is sent later, in order; what it never takes is said.
func TestLimits(t *testing.T) {
	b := newBoard(t, server.Config{Limits: chat.Limits{Messages: limit.Rate{N: 20, Burst: 2}}})
	r := in(t, Config{URL: b.url, Since: All})
	w := in(t, Config{URL: b.url, Username: "Bob", WriteOnly: true})
	for i := range 8 {
		say(t, w, fmt.Sprint(i))
	}
	for i, e := range hear(t, r, 8, Message) {
		if e.Content != fmt.Sprint(i) {
			t.Errorf("message %d is %+v", i, e)
		}
	}
	done := make(chan error)
	for i := range 8 { // at once
		go func() { _, err := w.Publish(t.Context(), fmt.Sprint("at once ", i)); done <- err }()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, content := range []string{strings.Repeat("x", 4097), "\xff"} {
		if _, err := w.Publish(t.Context(), content); !isRefusal(err, "invalid_message") {
			t.Errorf("%.10q: %v", content, err)
		}
	}
	key := "one"
	first, err := w.PublishKey(t.Context(), key, "hi")
	again, err2 := w.PublishKey(t.Context(), key, "hi")
	if err != nil || err2 != nil || first != again {
		t.Errorf("%+v, %v and %+v, %v", first, err, again, err2)
	}
}

func isRefusal(err error, code string) bool {
	e, ok := errors.AsType[*Refusal](err)
	return ok && e.Code == code
}

// What no other try would mend ends Join at once.
func TestRefused(t *testing.T) {
	b := newBoard(t, server.Config{})
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	moved := httptest.NewServer(http.RedirectHandler("https://elsewhere/", http.StatusPermanentRedirect))
	defer moved.Close()
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{URL: b.url, Room: "a&b"}, `400 invalid_room: the name of the room may not hold '&'`},
		{Config{URL: b.url, Room: "a/b"}, `400 invalid_room`},
		{Config{URL: b.url, Room: ".."}, `".." is not the name of a room`},
		{Config{URL: b.url, Room: ""}, `"" is not the name of a room`},
		{Config{URL: b.url, Room: "den", Username: "\x1b[31m"}, `400 invalid_username`},
		{Config{URL: b.url, Room: "den", Since: "x y"}, `400 invalid_query`},
		{Config{URL: b.url, Room: "den", Token: "nonsense"}, ``}, // without a token file nobody looks at it
		{Config{URL: b.url + "/elsewhere", Room: "den"}, `404`},
		{Config{URL: other.URL, Room: "den"}, `404`},
		{Config{URL: moved.URL, Room: "den"}, `308: it moved to "https://elsewhere/"`},
		{Config{URL: "pi.local:3000", Room: "den"}, `not of the form http://host:port`},
		{Config{URL: "ftp://pi", Room: "den"}, `scheme "ftp"`},
		{Config{URL: "http://pi?x=1", Room: "den"}, `more than http://host:port`},
		{Config{URL: b.url, Room: "den", Window: -1}, `negative`},
	} {
		r, err := Join(t.Context(), c.cfg)
		if c.want == "" && err == nil {
			r.Close()
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}

// Who is here is asked over HTTP; a room of any script has its path.
func TestMembers(t *testing.T) {
	b := newBoard(t, server.Config{})
	r := in(t, Config{URL: b.url, Username: "Ann", Room: "küche"})
	in(t, Config{URL: b.url, Username: "Bob", Room: "küche", WriteOnly: true}) // is no member
	members, err := r.Members(t.Context())
	if err != nil || len(members) != 1 || members[0].Username != "Ann" || members[0].Connections != 1 || time.Since(members[0].Since) > time.Hour {
		t.Errorf("%+v, %v", members, err)
	}
	if s := r.Subscribed(); s.Room != "küche" || s.Username != "Ann" || s.Members != 1 || s.MaxContentBytes != 4096 || s.PingInterval != 25*time.Second {
		t.Errorf("%+v", s)
	}
}

// A Room that was left gives up what waits.
func TestClose(t *testing.T) {
	b := newBoard(t, server.Config{})
	r := in(t, Config{URL: b.url, Username: "Ann"})
	hear(t, r, 2, Entered, Joined)
	b.stop() // nobody will acknowledge
	failed := make(chan error)
	go func() { _, err := r.Publish(t.Context(), "hi"); failed <- err }()
	for len(pendingOf(r)) == 0 {
		time.Sleep(time.Millisecond)
	}
	r.Close()
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("Publish: %v", err)
	}
	if _, err := r.Publish(t.Context(), "hi"); !errors.Is(err, ErrClosed) {
		t.Errorf("Publish afterwards: %v", err)
	}
	for e, err := range r.Events() {
		t.Errorf("after the end: %+v, %v", e, err)
	}
}

func pendingOf(r *Room) []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending
}
