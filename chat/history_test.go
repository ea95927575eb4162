package chat

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/hub"
	"edgechat/internal/edgetest"
)

// A brokenLog cannot be read once it has been as often as after says.
type brokenLog struct {
	hub.Log
	after atomic.Int64
}

func (l *brokenLog) Read(room string, q codec.Query) (codec.Page, error) {
	if l.after.Add(-1) < 0 {
		return codec.Page{}, errors.New("the disk does not answer")
	}
	return l.Log.Read(room, q)
}

// breakable is a setup with a brokenLog that works for now.
func breakable(s *setup) *brokenLog {
	l := &brokenLog{}
	l.after.Store(1 << 40)
	s.log = func(inner hub.Log) hub.Log { l.Log = inner; return l }
	return l
}

// fill has a room hold n messages of size bytes, and returns the page that has them all.
func (r *rig) fill(room string, n, size int) *codec.Page {
	r.t.Helper()
	for range n {
		r.say(room, strings.Repeat("x", size))
	}
	page, err := r.store.Read(room, codec.Query{})
	if err != nil {
		r.t.Fatal(err)
	}
	page.Room = room
	return &page
}

// TestLongHistory: what is written in pieces has the bytes of a page that is written at once.
func TestLongHistory(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.History = 300 })
	page := r.fill("den", 300, 4000)
	var lines []byte
	for i := range page.Messages {
		lines = append(codec.AppendMessage(lines, codec.JSON, &page.Messages[i]), '\n')
	}
	for media, want := range map[string]string{
		typeJSON:    string(wholePage(codec.JSON, page)) + "\n",
		typeMsgPack: string(wholePage(codec.MsgPack, page)),
		typeLines:   string(lines),
	} {
		status, header, body := r.do("GET", "/chat/room/den/messages", "", "Accept: "+media)
		if status != 200 || body != want || header.Get("Content-Length") != "" {
			t.Errorf("%s: %d, %d bytes, %d expected; %v", media, status, len(body), len(want), header)
		}
		status, head, body := r.do("HEAD", "/chat/room/den/messages", "", "Accept: "+media)
		if status != 200 || body != "" || head.Get("Content-Type") != header.Get("Content-Type") || head.Get("Cache-Control") != "no-store" {
			t.Errorf("HEAD %s: %d %v", media, status, head)
		}
	}
}

// TestBrokenHistory: a log that cannot be read is a 500 if nothing was said yet, and a body without an
// end if something was: it must not pass for whole.
func TestBrokenHistory(t *testing.T) {
	var l *brokenLog
	r := newRig(t, func(s *setup) { l = breakable(s) })
	r.fill("den", 100, 4000)
	began := l.after.Load()
	r.do("GET", "/chat/room/den/messages", "")
	reads := began - l.after.Load()

	// Wherever it fails, there is an answer: a refusal, or one that is cut.
	for after := range reads {
		l.after.Store(after)
		res, err := http.Get(r.http + "/chat/room/den/messages")
		if err != nil {
			t.Fatalf("after %d reads: %v", after, err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		code, _ := errorOf(string(b))
		if refused := res.StatusCode == 500 && code == "internal" && err == nil; !refused && (after == 0 || res.StatusCode != 200 || err == nil || len(b) == 0) {
			t.Errorf("after %d reads: %s, %v, %.100s", after, res.Status, err, b)
		}
	}
	for _, media := range []string{typeJSON, typeMsgPack, typeLines} {
		l.after.Store(reads - 1)
		req, err := http.NewRequest("GET", r.http+"/chat/room/den/messages", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", media)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		if err == nil || n == 0 {
			t.Errorf("%s: %d bytes that pass for whole", media, n)
		}
		res.Body.Close()
	}
	if !r.log.Has("history failed") {
		t.Error("the log says nothing")
	}
}

// TestBrokenJoin: a log that cannot be read in a join closes the connection, which is to come back.
func TestBrokenJoin(t *testing.T) {
	var l *brokenLog
	r := newRig(t, func(s *setup) { l = breakable(s) })
	r.say("den", "x")
	l.after.Store(0)
	one := r.room("den", "since=all", jsonHeader)
	several := r.many("")
	several.Text(`{"type":"join","room":"attic"}`)
	several.JSONOf("joined")
	several.Text(`{"type":"join","room":"den","since":"all"}`)
	for _, c := range []*edgetest.Client{one, several} {
		if code, reason := c.ExpectClose(); code != 1013 || !strings.Contains(reason, "come back") {
			t.Errorf("closed with %d %q", code, reason)
		}
	}
	eventually(t, "both have left", func() bool { return r.hub.Stats().Rooms == 0 })
	if !r.log.Has("join failed") {
		t.Error("the log says nothing")
	}
}

// TestDeafReaders: who asks for a long history and reads none of it is cut after the time that a write has, and
// those who wait for its place get theirs.
func TestDeafReaders(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.store.History, s.chat.ReplayLimit = 1000, 1000
		s.ws.WriteTimeout = 300 * time.Millisecond
	})
	r.fill("den", 1000, 4000)
	for range 40 { // of 32 places
		c, err := net.Dial("tcp", strings.TrimPrefix(r.http, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /chat/room/den/messages HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all places are taken", func() bool { return r.hub.Stats().Histories >= 32 })
	eventually(t, "who reads gets it all", func() bool { // unless the machine is so busy that it takes the reader's time too
		resp, err := http.Get(r.http + "/chat/room/den/messages")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		return err == nil && resp.StatusCode == 200 && n > 4_000_000
	})
	if r.log.Has("history failed") {
		t.Error("who reads nothing is a failure of the history")
	}
}

func wholePage(f codec.Format, page *codec.Page) []byte {
	b := codec.AppendPageHead(nil, f, page, len(page.Messages))
	return codec.AppendPageTail(codec.AppendPageMessages(b, f, true, page.Messages), f)
}
