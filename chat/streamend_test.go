package chat

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/moderation"
	"edgechat/ws"
)

// TestStreamRefused: what is said before a stream is there.
func TestStreamRefused(t *testing.T) {
	config, headers := tokens(t, auth.Read, map[string]grant{"Ann": {auth.Read, []string{"attic"}}})
	r := newRig(t, config, func(s *setup) { s.ws.Limits = ws.Limits{Streams: 2, PerAddress: 1}; s.hub.MembersPerRoom = 2 })
	for _, test := range []struct {
		path, header string
		status       int
		says         string
	}{
		{"/den/events?since=x", "", 400, "since"},
		{"/den/events?before=x-1", "", 400, "before"},
		{"/den/events?announce=2", "", 400, "announce"},
		{"/den/events?limit=0", "", 400, "limit"},
		{"/den/events?username=%00", "", 400, "invalid_username"},
		{"/den/events", "Last-Event-ID: x", 400, "Last-Event-ID"},
		{"/a%20b/events", "", 400, "invalid_room"},
		{"/den/events", headers["Ann"], 403, "forbidden"},
		{"/den/events", bearer + "x", 401, "unauthorized"},
	} {
		var all []string
		if test.header != "" {
			all = append(all, test.header)
		}
		if status, _, body := r.do("GET", "/chat/room"+test.path, "", all...); status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s %s: %d %s", test.path, test.header, status, body)
		}
	}
	if status, header, body := r.do("HEAD", "/chat/room/den/events", ""); status != 200 || header.Get("Content-Type") != "text/event-stream" || body != "" {
		t.Errorf("HEAD: %d %v %q", status, header, body)
	}
	if status, header, _ := r.do("POST", "/chat/room/den/events", "x"); status != 405 || !strings.Contains(header.Get("Allow"), "GET") {
		t.Errorf("POST: %d %v", status, header)
	}
	const client = "X-Forwarded-For: 192.0.2.7"
	x := r.stream("den", "/events", client)
	if status, header, body := r.do("GET", "/chat/room/attic/events", "", client); status != 429 || !strings.Contains(body, "too_many_connections") || header.Get("Retry-After") == "" {
		t.Errorf("a second of one address: %d %s", status, body)
	}
	y := r.stream("den", "/events")
	for _, room := range []string{"den", "attic"} {
		status, header, body := r.do("GET", "/chat/room/"+room+"/events", "")
		if want := map[string]string{"den": "room_full", "attic": "too_many_connections"}[room]; status != 503 || !strings.Contains(body, want) || header.Get("Retry-After") == "" {
			t.Errorf("a third in %s: %d %s", room, status, body)
		}
	}
	if s := r.rt.Stats(); s.Limits.Streams != 1 || s.Limits.PerAddress != 1 || s.Feeds != 2 {
		t.Errorf("%+v", s)
	}
	x.close()
	y.close()
	eventually(t, "their places are free", func() bool { return r.rt.Stats().Feeds == 0 })
	r.stream("den", "/events", client)
}

// TestStreamModerated: who is put out reads why, and when to come back.
func TestStreamModerated(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t)
		x := r.stream("den", "/events?username=Bob", headers...)
		x.of("subscribed")
		other := r.stream("attic", "/events?username=Ann", headers...)
		other.of("subscribed")
		done, err := r.chat.Moderate(t.Context(), Moderator{By: "test"}, moderation.Act{Act: moderation.ActClose, Room: "den", For: "1h", Reason: "night" + strings.Repeat(" night", 12)})
		if err != nil || done.Closed != 1 {
			t.Fatalf("%+v %v", done, err)
		}
		m := x.of("close")
		if reason, _ := m["reason"].(string); m["code"] != 1008.0 || !strings.HasPrefix(reason, "room_closed: ") || !strings.HasSuffix(reason, "night") || m["retry_after_ms"].(float64) < 30_000 ||
			x.events && x.retry != fmt.Sprint(m["retry_after_ms"]) {
			t.Errorf("%v, retry %s", m, x.retry)
		}
		if m, raw := x.next(); m != nil {
			t.Errorf("behind its end: %s", raw)
		}
		if status, _, body := r.do("GET", "/chat/room/den/events", ""); status != 403 || !strings.Contains(body, "room_closed") {
			t.Errorf("%d %s", status, body)
		}
		if _, err := r.chat.Moderate(t.Context(), Moderator{By: "test"}, moderation.Act{Act: moderation.ActBan, Name: "Ann"}); err != nil {
			t.Fatal(err)
		}
		if m := other.of("close"); !strings.HasPrefix(m["reason"].(string), "banned: ") {
			t.Errorf("%v", m)
		}
		if n := r.rt.Stats().FeedsClosedBy[1008]; n != 2 {
			t.Errorf("%d closed", n)
		}
	})
}

// TestStreamStops: a stop is told, with a time to come back, and so it is to an event stream that comes too late.
func TestStreamStops(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t)
		x := r.stream("den", "/events", headers...)
		x.of("subscribed")
		r.say("den", "last")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := r.rt.Shutdown(ctx, 1012, "server is restarting"); err != nil {
			t.Error(err)
		}
		x.of("message")
		if m := x.of("close"); m["code"] != 1012.0 || m["reason"] != "server is restarting" || x.events && x.retry == "" {
			t.Errorf("%v, retry %s", m, x.retry)
		}
		if m, raw := x.next(); m != nil {
			t.Errorf("behind its end: %s", raw)
		}
	})
}

// TestStreamSlow: who reads nothing holds no more than its share, is told, and has everything when it is back.
func TestStreamSlow(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t, func(s *setup) {
			s.store.History = 2000
			s.ws.WriteTimeout = 3 * time.Second  // who comes back reads, however busy the machine is
			s.ws.CloseTimeout = 10 * time.Second // in which the rest and the end are written
			s.chat.ReplayLimit = 2000
		})
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.http, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(conn, "GET /chat/room/den/events HTTP/1.0\r\nHost: x\r\n%s\r\n\r\n", strings.Join(append(headers, "X-Nothing: x"), "\r\n"))
		eventually(t, "it is there", func() bool { return r.hub.Stats().Quiet == 1 })
		const count = 1000
		for n := range count {
			r.say("den", fmt.Sprint(n, " ", strings.Repeat("x", 1000)))
		}
		eventually(t, "it is closed", func() bool { return r.rt.Stats().FeedsClosedBy[1013] == 1 })
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %v", resp, err)
		}
		x := &reader{t: t, br: bufio.NewReader(resp.Body), events: headers == nil, cancel: func() { _ = conn.Close() }}
		x.of("subscribed")
		var last map[string]any
		n := 0
		for {
			m, _ := x.next()
			if m["type"] == "close" {
				if m["code"] != 1013.0 {
					t.Errorf("%v", m)
				}
				break
			}
			if m == nil || m["offset"] != float64(n+1) {
				t.Fatalf("%v behind %d", m, n)
			}
			last = m
			n++
		}
		if n == 0 || n >= count {
			t.Fatalf("%d read of %d", n, count)
		}
		y := r.stream("den", "/events", append([]string{"Last-Event-ID: " + last["id"].(string)}, headers...)...)
		if m := y.of("subscribed"); m["recovered"] != true {
			t.Errorf("%v", m)
		}
		for ; n < count; n++ {
			if m := y.of("message"); m["offset"] != float64(n+1) {
				t.Fatalf("%v behind %d", m, n)
			}
		}
	})
}

// TestStreamTalker: what a reader sends is nobody's, and to no end it may not.
func TestStreamTalker(t *testing.T) {
	r := newRig(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprint(conn, "GET /chat/room/den/events HTTP/1.1\r\nHost: x\r\n\r\nGET /chat/rooms HTTP/1.1\r\nHost: x\r\n\r\n")
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	x := &reader{t: t, br: bufio.NewReader(resp.Body), events: true, cancel: func() { _ = conn.Close() }}
	x.of("subscribed")
	fmt.Fprint(conn, "hello")
	r.say("den", "hi")
	x.of("message")
	for err == nil {
		_, err = conn.Write(make([]byte, 16<<10))
	}
	eventually(t, "it is cut", func() bool { return r.rt.Stats().Feeds == 0 })
	if n := r.rt.Stats().Violated; n != 1 {
		t.Errorf("%d violations", n)
	}
}
