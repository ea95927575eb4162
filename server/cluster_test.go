package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/store"
)

func clusterWait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// A clusterNode is a server of a cluster.
func clusterNode(t *testing.T, r *redisServer, name, data string) *running {
	t.Helper()
	s := start(t, Config{Cluster: "unix:" + r.socket(), NodeName: name, Data: data})
	clusterWait(t, name+" is ready", func() bool { return s.cluster.Ready() == nil })
	return s
}

func (r *running) answer(method, path, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

const clusterProtocol = "Sec-WebSocket-Protocol: edgechat.v1.json"

// next returns the next frame of a type; others are passed over.
func next(t *testing.T, c *edgetest.Client, typ, key, value string) map[string]any {
	t.Helper()
	for {
		m := c.JSONOf(typ)
		if key == "" || fmt.Sprint(m[key]) == value {
			return m
		}
	}
}

// TestClusterNodes has two nodes serve one room: who is on either sees what is said, who joins, leaves and types on the other, under the
// same ids; a node that goes takes its members along; and a client that hops finds what it has not seen.
func TestClusterNodes(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := clusterNode(t, r, "a", ""), clusterNode(t, r, "b", "")
	ann := edgetest.Dial(t, a.url+"/chat/room/den?username=Ann", clusterProtocol)
	ann.JSONOf("subscribed")
	next(t, ann, "joined", "username", "Ann")
	clusterWait(t, "b knows of Ann", func() bool { return len(b.hub.Members("den")) == 1 })
	bob := edgetest.Dial(t, b.url+"/chat/room/den?username=Bob", clusterProtocol)
	if m := bob.JSONOf("subscribed"); m["members"] != 2.0 {
		t.Errorf("members: %v", m["members"])
	}
	next(t, ann, "joined", "username", "Bob")

	ann.Text(`{"type":"message","content":"hello","idempotency_key":"k"}`)
	heard := next(t, bob, "message", "content", "hello")
	ack := next(t, ann, "ack", "", "")
	if ack["durable"] != true || ack["id"] != heard["id"] || heard["offset"] != 1.0 {
		t.Errorf("ack %v of %v", ack, heard)
	}
	bob.Text(`{"type":"typing"}`)
	next(t, ann, "typing", "username", "Bob")
	bob.Text(`{"type":"message","content":"hi"}`)
	next(t, ann, "message", "content", "hi")
	if status, body := a.answer("POST", "/chat/room/den/messages", "posted"); status != 201 || !strings.Contains(body, `"offset":3`) {
		t.Errorf("POST: %d %s", status, body)
	}
	next(t, bob, "message", "content", "posted")
	histories := func() (list []string) {
		for _, s := range []*running{a, b} {
			_, body := s.answer("GET", "/chat/room/den/messages", "")
			list = append(list, body)
		}
		return list
	}
	if h := histories(); h[0] != h[1] || strings.Count(h[0], `"content"`) != 3 {
		t.Errorf("histories:\n%s\n%s", h[0], h[1])
	}
	var rooms struct {
		Rooms []struct {
			Room    string
			Members int
		}
	}
	_, body := b.answer("GET", "/chat/rooms", "")
	if err := json.Unmarshal([]byte(body), &rooms); err != nil || len(rooms.Rooms) != 1 || rooms.Rooms[0].Members != 2 {
		t.Errorf("rooms: %s, %v", body, err)
	}

	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	next(t, ann, "left", "username", "Bob")
	ann.Text(`{"type":"message","content":"while you were away","idempotency_key":"k2"}`)
	ann.JSONOf("ack")
	// Bob comes to the other node, with the last that he has seen on this one.
	back := edgetest.Dial(t, a.url+"/chat/room/den?username=Bob&since="+fmt.Sprint(heard["id"]), clusterProtocol)
	if m := back.JSONOf("subscribed"); m["recovered"] != true {
		t.Errorf("subscribed: %v", m)
	}
	for _, want := range []string{"hi", "posted", "while you were away"} {
		if m := back.JSONOf("message"); m["content"] != want {
			t.Errorf("after the hop: %v, want %s", m, want)
		}
	}
}

// TestClusterEngineAway: while the engine is away everything is read and nothing is taken, which readyz and each answer say; and
// it goes on when the engine is back, without a gap.
func TestClusterEngineAway(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := clusterNode(t, r, "a", "")
	c := edgetest.Dial(t, a.url+"/chat/room/den?username=Ann", clusterProtocol)
	c.JSONOf("subscribed")
	c.Text(`{"type":"message","content":"before","idempotency_key":"k1"}`)
	first := c.JSONOf("ack")
	r.kill(t)
	clusterWait(t, "readyz says it", func() bool {
		status, body := a.answer("GET", "/readyz", "")
		return status == 503 && strings.Contains(body, `"cluster"`)
	})
	c.Text(`{"type":"message","content":"meanwhile","idempotency_key":"k2"}`)
	if m := c.JSONOf("error"); m["code"] != "unavailable" || m["idempotency_key"] != "k2" || m["retry_after_ms"] != 1000.0 {
		t.Errorf("error %v", m)
	}
	if status, body := a.answer("POST", "/chat/room/den/messages", "x"); status != 503 || !strings.Contains(body, "unavailable") {
		t.Errorf("POST: %d %s", status, body)
	}
	if status, body := a.answer("GET", "/chat/room/den/messages", ""); status != 200 || !strings.Contains(body, "before") {
		t.Errorf("GET: %d %s", status, body)
	}
	r.start(t)
	defer func() {
		if t.Failed() {
			t.Logf("%+v\nlog:\n%s", a.cluster.Status(), a.log)
		}
	}()
	clusterWait(t, "it is ready", func() bool { status, _ := a.answer("GET", "/readyz", ""); return status == 200 })
	c.Text(`{"type":"message","content":"meanwhile","idempotency_key":"k2"}`)
	if m := next(t, c, "ack", "idempotency_key", "k2"); m["offset"] != 2.0 { // it may come before the message, or behind it
		t.Errorf("ack %v", m)
	}
	c.Text(`{"type":"message","content":"again","idempotency_key":"k1"}`)
	if m := next(t, c, "ack", "idempotency_key", "k1"); m["id"] != first["id"] {
		t.Errorf("ack %v, was %v", m, first)
	}
}

// TestClusterAddress: what is wrong with an address is said without the password.
func TestClusterAddress(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"redis://", "http://x:secret@host", "redis://:secret@host/one", "unix:relative", "redis://user:secret@[::1", "redis://u:secret@host/0?x=y"} {
		_, err := New(Config{Data: t.TempDir(), Listen: []string{"127.0.0.1:0"}, Cluster: bad})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if got := ShownCluster("redis://u:secret@host:1/2"); strings.Contains(got, "secret") || !strings.Contains(got, "host:1/2") {
		t.Errorf("shown: %s", got)
	}
	if got := ShownCluster("postgres://u@host/chat?password=secret&sslpassword=secret&sslmode=require"); strings.Contains(got, "secret") || !strings.Contains(got, "sslmode=require") {
		t.Errorf("shown: %s", got)
	}
	for _, bad := range []string{"", "a b", "x{y}", strings.Repeat("x", 65)} {
		if CheckClusterName(bad) == nil {
			t.Errorf("%q passes for a name", bad)
		}
	}
}

// TestClusterFromOne: a server that was alone brings its history into the cluster; one with a history of its own that comes later is refused, and
// one with a backup of a node goes on where that was.
func TestClusterFromOne(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	data, backup := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup")
	alone := start(t, Config{Data: data})
	for i := range 3 {
		if status, body := alone.answer("POST", "/chat/room/den/messages", fmt.Sprint("old", i)); status != 201 {
			t.Fatal(status, body)
		}
	}
	_, before := alone.answer("GET", "/chat/room/den/messages", "")
	if err := alone.stop(); err != nil {
		t.Fatal(err)
	}
	a := clusterNode(t, r, "a", data)
	if _, body := a.answer("GET", "/chat/room/den/messages", ""); messagesOf(t, body) != messagesOf(t, before) {
		t.Errorf("histories:\n%s\n%s", before, body)
	}
	if status, body := a.answer("POST", "/chat/room/den/messages", "new"); status != 201 || !strings.Contains(body, `"offset":4`) {
		t.Errorf("POST: %d %s", status, body)
	}

	other := filepath.Join(t.TempDir(), "data")
	stranger := start(t, Config{Data: other})
	stranger.answer("POST", "/chat/room/den/messages", "of another line")
	if err := stranger.stop(); err != nil {
		t.Fatal(err)
	}
	b := start(t, Config{Cluster: "unix:" + r.socket(), NodeName: "b", Data: other})
	clusterWait(t, "it is refused", func() bool {
		status, body := b.answer("GET", "/readyz", "")
		return status == 503 && strings.Contains(body, "not of this cluster")
	})

	f, err := os.Create(backup)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.history().Backup(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	seeded := filepath.Join(t.TempDir(), "data")
	if _, _, err := store.RestoreFollower(backup, filepath.Join(seeded, fileName)); err != nil {
		t.Fatal(err)
	}
	a.answer("POST", "/chat/room/den/messages", "since the backup")
	c := clusterNode(t, r, "c", seeded)
	_, want := a.answer("GET", "/chat/room/den/messages", "")
	if _, body := c.answer("GET", "/chat/room/den/messages", ""); messagesOf(t, body) != messagesOf(t, want) {
		t.Errorf("histories:\n%s\n%s", want, body)
	}
}

// messagesOf returns the messages of a page as text.
func messagesOf(t *testing.T, page string) string {
	t.Helper()
	var p struct{ Messages json.RawMessage }
	if err := json.Unmarshal([]byte(page), &p); err != nil {
		t.Fatal(err)
	}
	return string(p.Messages)
}
