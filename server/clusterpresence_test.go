package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/cluster"
	"edgechat/internal/edgetest"
)

// A reader is a stream over plain HTTP, whose lines are kept.
type reader struct {
	mu    sync.Mutex
	lines []string
}

func (s *running) stream(t *testing.T, path, accept string) *reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	r := new(reader)
	done := make(chan struct{})
	go func() { // ends with the body, which the clean-up closes and waits for
		defer close(done)
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			r.mu.Lock()
			r.lines = append(r.lines, lines.Text())
			r.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = res.Body.Close()
		<-done
	})
	r.await(t, `"subscribed"`)
	return r
}

func (r *reader) count(parts ...string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			n++
		}
	}
	return n
}

func (r *reader) await(t *testing.T, parts ...string) {
	t.Helper()
	clusterWait(t, strings.Join(parts, " "), func() bool { return r.count(parts...) > 0 })
}

// members returns who a node says is in a room.
func (s *running) members(room string) string {
	_, body := s.answer("GET", "/chat/room/"+room+"/members", "")
	var list struct {
		Members []struct {
			Username    string
			Verified    bool
			Connections int
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		s.t.Fatalf("%v: %s", err, body)
	}
	var names []string
	for _, m := range list.Members {
		names = append(names, fmt.Sprintf("%s %t %d", m.Username, m.Verified, m.Connections))
	}
	return strings.Join(names, ", ")
}

// TestClusterPresence: whoever is in a room on one node is a member on all: told to connections of each kind, listed, counted, verified if he is, one with
// those of his name elsewhere; and nobody hears of who is quiet.
func TestClusterPresence(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	tokens := filepath.Join(t.TempDir(), "tokens")
	secret, err := auth.Create(tokens, auth.Grant{Name: "Vera", Access: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	node := func(name string) *running {
		return start(t, Config{Cluster: "unix:" + r.socket(), NodeName: name, Tokens: tokens, Anonymous: auth.Write})
	}
	a, b := node("a"), node("b")
	dial := func(s *running, path string, headers ...string) *edgetest.Client {
		t.Helper()
		return edgetest.Dial(t, s.url+path, append(headers, clusterProtocol)...)
	}
	single, packed := dial(b, "/chat/room/den?username=W1&announce=0"), edgetest.Dial(t, b.url+"/chat/room/den?username=W2&announce=0", "Sec-WebSocket-Protocol: edgechat.v1.msgpack")
	single.JSONOf("subscribed")
	many := dial(b, "/chat?username=W3")
	for _, room := range []string{"den", "attic"} {
		many.Text(`{"type":"join","room":"` + room + `","announce":false}`)
		next(t, many, "subscribed", "room", room)
	}
	events, lines := b.stream(t, "/chat/room/den/events?username=W4", "text/event-stream"), b.stream(t, "/chat/room/den/events?username=W5", "application/x-ndjson")

	vera := dial(a, "/chat/room/den", "Authorization: Bearer "+secret)
	vera.JSONOf("subscribed")
	bob := []*edgetest.Client{dial(a, "/chat/room/den?username=Bob"), dial(b, "/chat/room/den?username=Bob")}
	bob[0].JSONOf("subscribed")
	clusterWait(t, "b lists all", func() bool { return b.members("den") == "Bob false 2, Vera true 1" })
	clusterWait(t, "a lists all", func() bool { return a.members("den") == "Bob false 2, Vera true 1" })
	up := dial(b, "/chat?username=Up")
	up.Text(`{"type":"join","room":"attic"}`)
	if m := next(t, many, "joined", "username", "Up"); m["room"] != "attic" {
		t.Errorf("joined %v", m)
	}
	clusterWait(t, "a counts those of a room in which it has nobody", func() bool {
		_, body := a.answer("GET", "/chat/rooms", "")
		return strings.Contains(body, `{"room":"attic","members":1`) && strings.Contains(body, `{"room":"den","members":3`)
	})
	late := dial(a, "/chat/room/den?username=Late&announce=0")
	if m := late.JSONOf("subscribed"); m["members"] != 3.0 {
		t.Errorf("members: %v", m)
	}
	vera.Text(`{"type":"typing"}`)
	next(t, single, "typing", "username", "Vera")
	_ = bob[0].Conn.Close()
	for _, s := range []*reader{events, lines} {
		s.await(t, `"left"`, `"Bob"`)
		if j, l, v := s.count(`"joined"`, `"Bob"`), s.count(`"left"`, `"Bob"`), s.count(`"joined"`, `"Vera"`, `"verified":true`); j != 2 || l != 1 || v != 1 {
			t.Errorf("a stream heard of Bob joined %d, left %d; Vera verified %d", j, l, v)
		}
		s.await(t, `"typing"`, `"Vera"`, `"verified":true`)
		if s.count(`"W`)+s.count(`"Late"`) > 1 { // its own name in subscribed
			t.Errorf("who is quiet was announced: %q", s.lines)
		}
	}
	clusterWait(t, "one of the two has gone", func() bool {
		return a.members("den") == "Bob false 1, Vera true 1" && b.members("den") == a.members("den")
	})
	for seen := ""; !strings.Contains(seen, "left"); { // and in MessagePack
		_, p, err := packed.Read()
		if err != nil {
			t.Fatal(err)
		}
		seen = string(p)
	}
	_ = vera.Conn.Close()
	next(t, many, "left", "username", "Vera")
}

// A muffled engine broadcasts nothing while it is told to.
type muffled struct {
	cluster.Engine
	mute *atomic.Bool
}

func (e muffled) Broadcast(ctx context.Context, payload []byte) error {
	if e.mute.Load() {
		return errors.New("muffled")
	}
	return e.Engine.Broadcast(ctx, payload)
}

// TestClusterSilent: members of a node that died have left after some seconds, as others see it; while the engine is away who was on others stays, which is said,
// and what changed meanwhile is told when it is back: each once.
func TestClusterSilent(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	var mute atomic.Bool
	a := clusterNode(t, r, "a", "")
	b := start(t, Config{Cluster: "unix:" + r.socket(), NodeName: "b", engine: func(e cluster.Engine) cluster.Engine { return muffled{e, &mute} }})
	watch := a.stream(t, "/chat/room/den/events", "application/x-ndjson")
	for _, name := range []string{"Bob", "Eve"} {
		edgetest.Dial(t, b.url+"/chat/room/den?username="+name, clusterProtocol).JSONOf("subscribed")
		watch.await(t, `"joined"`, `"`+name+`"`)
	}
	gone := edgetest.Dial(t, b.url+"/chat/room/den?username=Gus", clusterProtocol)
	watch.await(t, `"joined"`, `"Gus"`)

	r.kill(t)
	clusterWait(t, "a says that it hears nobody", func() bool {
		_, body := a.answer("GET", "/readyz", "")
		return strings.Contains(body, `"cluster_deaf"`)
	})
	clusterWait(t, "it has been away for longer than a node may be silent", func() bool {
		since, _ := a.cluster.Deaf()
		return time.Since(since) > 6*time.Second
	})
	if done := a.does(`{"act":"mute","name":"Nobody"}`); len(done.Others) != 0 {
		t.Errorf("others follow while there is no engine: %+v", done)
	}
	var page strings.Builder
	if _, err := (backend{a.Server}).Status().Cluster.WriteTo(&page); err != nil || !strings.Contains(page.String(), "who is on others stays as it was") || !strings.Contains(page.String(), "connect") {
		t.Errorf("cluster status: %v\n%s", err, page.String())
	}
	_ = gone.Conn.Close()
	clusterWait(t, "b has seen him go", func() bool { return b.members("den") == "Bob false 1, Eve false 1" })
	if got := a.members("den"); got != "Bob false 1, Eve false 1, Gus false 1" || watch.count(`"left"`) != 0 {
		t.Errorf("while the engine is away: %s; %d left", got, watch.count(`"left"`))
	}
	r.start(t)
	watch.await(t, `"left"`, `"Gus"`)
	clusterWait(t, "b learns what was decided", func() bool { return len((backend{b.Server}).Rules("")) == 1 })
	if watch.count(`"left"`) != 1 || watch.count(`"joined"`) != 3 {
		t.Errorf("%d joined, %d left", watch.count(`"joined"`), watch.count(`"left"`))
	}

	mute.Store(true)
	watch.await(t, `"left"`, `"Bob"`)
	watch.await(t, `"left"`, `"Eve"`)
	mute.Store(false)
	clusterWait(t, "they are back", func() bool { return a.members("den") == "Bob false 1, Eve false 1" })
	if watch.count(`"left"`) != 3 {
		t.Errorf("%d left", watch.count(`"left"`))
	}
}
