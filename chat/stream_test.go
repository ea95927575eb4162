package chat

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/internal/edgetest"
	"edgechat/moderation"
	"edgechat/ws"
)

const wantLines = "Accept: application/x-ndjson"

// A reader has a stream of the rig, by events or by lines.
type reader struct {
	t      testing.TB
	resp   *http.Response
	br     *bufio.Reader
	events bool
	cancel context.CancelFunc

	id    string // of the last event that had one
	retry string // of the last that had one
	pings int
}

// stream opens a stream; path is what comes behind the room.
func (r *rig) stream(room, path string, headers ...string) *reader {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", r.http+"/chat/room/"+room+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	x := &reader{t: r.t, resp: resp, br: bufio.NewReader(resp.Body), cancel: cancel, events: resp.Header.Get("Content-Type") == "text/event-stream"}
	r.t.Cleanup(x.close)
	if resp.StatusCode != 200 {
		r.t.Fatalf("%s: %s", path, resp.Status)
	}
	return x
}

func (x *reader) close() {
	x.cancel()
	_ = x.resp.Body.Close()
}

// next returns the next frame, nil at the end; raw is as it stands. Pings are counted.
func (x *reader) next() (m map[string]any, raw string) {
	x.t.Helper()
	timer := time.AfterFunc(30*time.Second, x.cancel)
	defer timer.Stop()
	name := ""
	for {
		line, err := x.br.ReadString('\n')
		if err == io.EOF && line == "" {
			return nil, ""
		}
		if err != nil {
			x.t.Fatalf("%q: %v", line, err)
		}
		line = strings.TrimSuffix(line, "\n")
		if !x.events {
			raw = line
		} else {
			switch key, value, _ := strings.Cut(line, ": "); key {
			case "":
				if line == ": ping" {
					x.pings++
				}
				if raw == "" {
					continue
				}
			case "id":
				x.id = value
				continue
			case "retry":
				x.retry = value
				continue
			case "event":
				name = value
				continue
			case "data":
				raw = value
				continue
			default:
				x.t.Fatalf("a line of %q", line)
			}
		}
		m = nil
		if err := json.Unmarshal([]byte(raw), &m); err != nil {
			x.t.Fatalf("%q: %v", raw, err)
		}
		if m["type"] == "ping" {
			x.pings++
			continue
		}
		if x.events && m["type"] != name {
			x.t.Errorf("event %q has %s", name, raw)
		}
		return m, raw
	}
}

// of returns the next frame, which is to be of that type.
func (x *reader) of(typ string) map[string]any {
	x.t.Helper()
	m, raw := x.next()
	if m["type"] != typ {
		x.t.Fatalf("%s came in place of %s", raw, typ)
	}
	return m
}

// both runs a test with either form.
func both(t *testing.T, f func(t *testing.T, headers []string)) {
	t.Run("events", func(t *testing.T) { f(t, nil) })
	t.Run("lines", func(t *testing.T) { f(t, []string{wantLines}) })
}

// TestStream: a stream has what a WebSocket has, byte for byte, and nobody hears of it.
func TestStream(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t)
		r.say("den", "before")
		x := r.stream("den", "/events?username=Ann", headers...)
		if h := x.resp.Header; h.Get("Cache-Control") != "no-store, no-transform" || h.Get("X-Accel-Buffering") != "no" || h.Get("Date") == "" ||
			h.Get("X-Content-Type-Options") != "nosniff" || x.resp.ContentLength != -1 || !x.resp.Close {
			t.Errorf("%v", h)
		}
		m := x.of("subscribed")
		if m["offset"] != 1.0 || m["members"] != 0.0 || m["username"] != "Ann" || m["was_recovering"] != false || x.events && (x.id != m["id"] || x.retry == "") {
			t.Errorf("subscribed: %v, id %s, retry %s", m, x.id, x.retry)
		}
		c := r.room("den", "username=Bob", jsonHeader)
		if m := c.JSONOf("subscribed"); m["members"] != 1.0 {
			t.Errorf("a reader is counted: %v", m)
		}
		x.of("joined")
		if _, _, body := r.do("GET", "/chat/room/den/members", ""); strings.Contains(body, "Ann") || !strings.Contains(body, "Bob") {
			t.Errorf("members: %s", body)
		}
		c.JSONOf("joined")
		c.Text(`{"type":"message","content":"line\nline\r\u2028","author_key":"k"}`)
		c.Text(`{"type":"typing"}`)
		live := string(c.Expect(edgetest.OpText))
		said, raw := x.next()
		if raw != live || x.events && x.id != said["id"] {
			t.Errorf("%s, and over WebSocket %s; id %s", raw, live, x.id)
		}
		x.of("typing")
		c.JSONOf("typing")
		for _, revision := range []string{`{"type":"edit","content":"ho","id":%q}`, `{"type":"delete","id":%q}`} {
			c.Text(fmt.Sprintf(revision, said["id"]))
			live = string(c.Expect(edgetest.OpText))
			if m, raw := x.next(); raw != live || x.events && x.id != m["id"] {
				t.Errorf("%s, and over WebSocket %s; id %s", raw, live, x.id)
			}
		}
		if s := r.rt.Stats(); s.Feeds != 1 || s.FeedsOpened != 1 || s.Open != 1 || s.Accepted != 1 || s.Plain > 2 {
			t.Errorf("%+v", s)
		}
		x.close()
		eventually(t, "the stream is over", func() bool { s := r.rt.Stats(); return s.Feeds == 0 && s.FeedsClosedBy[1006] == 1 })
		eventually(t, "nobody is quiet", func() bool { return r.hub.Stats().Quiet == 0 })
	})
}

// TestStreamAnnounced: a reader that asks for it is a member as others are.
func TestStreamAnnounced(t *testing.T) {
	r := newRig(t)
	c := r.room("den", "username=Bob")
	c.JSONOf("joined")
	x := r.stream("den", "/events?username=Ann&announce=1")
	if m := x.of("subscribed"); m["members"] != 2.0 {
		t.Errorf("%v", m)
	}
	expect(t, c, "joined", "username", "Ann")
	x.close()
	expect(t, c, "left", "username", "Ann")
}

// TestStreamResumes: from the header, or else the query, on; what is missing is marked, and nothing is silently.
func TestStreamResumes(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t, func(s *setup) { s.store.History = 5 })
		id := func(n int) string {
			return strings.TrimSuffix(r.store.Head("den").String(), fmt.Sprint(r.store.Head("den").Offset)) + fmt.Sprint(n)
		}
		for n := range 10 {
			r.say("den", fmt.Sprint("m", n+1))
		}
		for _, test := range []struct {
			query, header string
			first         int // message; 0 is none
			gap           bool
		}{
			{"?since=" + id(8), "", 9, false},
			{"?since=" + id(10), "", 0, false},
			{"", id(7), 8, false},
			{"?since=" + id(9), id(7), 8, false}, // EventSource says both
			{"?since=all", id(9), 10, false},
			{"?since=all", "", 6, false},
			{"?since=all&limit=2", "", 9, false},
			{"?since=" + id(2), "", 6, true},
			{"", id(2), 6, true},
			{"?since=" + id(6) + "&limit=1", "", 10, true},
			{"?since=unheard-3", "", 6, true},
		} {
			all := headers
			if test.header != "" {
				all = append([]string{"Last-Event-ID: " + test.header}, headers...)
			}
			x := r.stream("den", "/events"+test.query, all...)
			m := x.of("subscribed")
			if m["recovered"] != (m["was_recovering"] == true && !test.gap) || x.id != "" {
				t.Errorf("%+v: %v, id %q", test, m, x.id)
			}
			if test.gap {
				if m := x.of("gap"); m["oldest"] != id(6) || m["since"] == nil {
					t.Errorf("%+v: %v", test, m)
				}
			}
			for n := test.first; n > 0 && n <= 10; n++ {
				if m := x.of("message"); m["offset"] != float64(n) {
					t.Errorf("%+v: %v in place of %d", test, m, n)
				}
			}
			x.close()
		}
		x := r.stream("den", "/messages?since="+id(9), "Accept: text/event-stream") // where the history is as well
		x.of("subscribed")
		x.of("message")
		if !x.events {
			t.Error("no event stream")
		}
	})
}

// TestStreamBeat: each ping interval has a sign of life, whatever else is said.
func TestStreamBeat(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t, func(s *setup) { s.ws.PingInterval = 200 * time.Millisecond })
		x := r.stream("den", "/events", headers...)
		x.of("subscribed")
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(1100 * time.Millisecond) // five intervals and more
			r.say("den", "end")
		}()
		x.of("message")
		<-done
		if x.pings < 3 {
			t.Errorf("%d pings in five intervals", x.pings)
		}
	})
}

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
			s.ws.WriteTimeout = 500 * time.Millisecond
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
