package server

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/admin"
	"edgechat/cluster"
	"edgechat/internal/edgetest"
	"edgechat/moderation"
)

// does has an act done at a node's admin socket.
func (r *running) does(act string) moderation.Done {
	r.t.Helper()
	a, err := moderation.ReadAct([]byte(act))
	if err != nil {
		r.t.Fatal(err)
	}
	done, err := (backend{r.Server}).Moderate(r.t.Context(), "uid 0", a)
	if err != nil {
		r.t.Fatalf("%s: %v", act, err)
	}
	return done
}

// posts waits until a POST of Bob's at a node is answered so.
func (r *running) posts(status int, text string) {
	r.t.Helper()
	got, body := 0, ""
	clusterWait(r.t, fmt.Sprintf("Bob's message is answered with %d %s", status, text), func() bool {
		got, body = r.answer("POST", "/chat/room/den/messages?username=Bob", "hi")
		return got == status && strings.Contains(body, text)
	})
}

func putOut(t *testing.T, c *edgetest.Client, code string) {
	t.Helper()
	if m := c.JSONOf("error"); m["code"] != code {
		t.Errorf("error %v, want %s", m, code)
	}
	if n, reason := c.ExpectClose(); n != 1008 || !strings.HasPrefix(reason, code) {
		t.Errorf("closed with %d %q, want 1008 %s", n, reason, code)
	}
}

// TestClusterRules: what a moderator decides on one node holds on all: it ends connections of each kind there, keeps out who comes, is listed, is
// in that node's file, and is ended from any node.
func TestClusterRules(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := clusterNode(t, r, "a", ""), clusterNode(t, r, "b", "")
	clusterWait(t, "they hear each other", func() bool { return a.cluster.Stats().Nodes == 1 && b.cluster.Stats().Nodes == 1 })
	bob := edgetest.Dial(t, b.url+"/chat/room/den?username=Bob", clusterProtocol)
	bob.JSONOf("subscribed")
	many := edgetest.Dial(t, b.url+"/chat?username=Bob", clusterProtocol)
	many.Text(`{"type":"join","room":"den"}`)
	many.JSONOf("subscribed")
	stream, err := http.Get(b.url + "/chat/room/den/events?username=Bob")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	events := bufio.NewScanner(stream.Body)
	events.Scan() // it is in the room

	polled := make(chan string, 1)
	go func() { // ends with its request
		_, body := b.answer("GET", "/chat/room/den/messages?username=Bob&wait=30&since=all", "")
		polled <- body
	}()

	done := a.does(`{"act":"ban","room":"den","name":"Bob","reason":"spam"}`)
	if done.Closed != 0 || !done.Durable || done.Node != "a" || len(done.Others) != 1 || done.Others[0] != "b" {
		t.Errorf("%+v", done)
	}
	var said strings.Builder
	if err := admin.WriteDone(&said, done); err != nil || !strings.Contains(said.String(), "on node a; others follow within about a second: b") {
		t.Errorf("%q, %v", said.String(), err)
	}
	putOut(t, bob, "banned")
	if m := many.JSONOf("error"); m["code"] != "banned" || m["room"] != "den" {
		t.Errorf("in many rooms: %v", m)
	}
	many.JSONOf("unsubscribed")
	var last strings.Builder
	for events.Scan() {
		last.WriteString(events.Text() + "\n")
	}
	if !strings.Contains(last.String(), `"banned: `) {
		t.Errorf("the stream ended with %q", last.String())
	}
	if body := <-polled; !strings.Contains(body, "banned") { // also if it came later than the ban
		t.Errorf("the poll was answered with %s", body)
	}
	b.posts(403, "banned")
	if c := edgetest.TryDial(t, b.url+"/chat/room/den?username=Bob"); c.Response.StatusCode != 403 {
		t.Errorf("a handshake: %s", c.Response.Status)
	}
	if rules := (backend{b.Server}).Rules("den"); len(rules) != 1 || rules[0].Reason != "spam" || rules[0].By != "uid 0" {
		t.Errorf("%+v", rules)
	}
	clusterWait(t, "it is in b's file", func() bool {
		text, err := os.ReadFile(filepath.Join(b.cfg.Data, rulesName))
		return err == nil && strings.Contains(string(text), `"reason":"spam"`)
	})

	b.does(`{"act":"unban","room":"den","name":"Bob"}`)
	a.posts(201, "")
	for _, x := range [][3]string{
		{`{"act":"mute","name":"Bob"}`, "muted", `{"act":"unmute","name":"Bob"}`},
		{`{"act":"read-only","room":"den"}`, "read_only", `{"act":"read-only","room":"den","off":true}`},
		{`{"act":"slow","room":"den","every":"1h"}`, "slow_mode", `{"act":"slow","room":"den","off":true}`},
		{`{"act":"close","room":"den","for":"1h"}`, "room_closed", `{"act":"open","room":"den"}`},
	} {
		b.does(x[0])
		status := 403
		if x[1] == "slow_mode" {
			status = 429
		}
		a.posts(status, x[1])
		a.does(x[2])
		b.posts(201, "")
	}
}

// TestClusterKick: a kick ends connections on all nodes, and so does a room that is closed for no time; who was put out may come again, and stays.
func TestClusterKick(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := clusterNode(t, r, "a", ""), clusterNode(t, r, "b", "")
	enter := func(name string) *edgetest.Client {
		t.Helper()
		c := edgetest.Dial(t, b.url+"/chat/room/den?username="+name, clusterProtocol)
		c.JSONOf("subscribed")
		return c
	}
	bob, ann := enter("Bob"), enter("Ann")
	a.does(`{"act":"kick","name":"Bob"}`)
	putOut(t, bob, "kicked")
	bob = enter("Bob")
	ann.Text(`{"type":"message","content":"said","idempotency_key":"k"}`)
	ann.JSONOf("ack")
	bob.JSONOf("message")
	clusterWait(t, "a has the message", func() bool { return a.history().Head("den").Offset == 1 })
	if done := a.does(`{"act":"close","room":"den"}`); done.Deleted != 1 {
		t.Errorf("%+v", done)
	}
	putOut(t, bob, "room_closed")
	putOut(t, ann, "room_closed")
	bob = enter("Bob")
	clusterWait(t, "the message is deleted on b", func() bool {
		_, body := b.answer("GET", "/chat/room/den/messages", "")
		return !strings.Contains(body, `"said"`)
	})
	// After two heartbeats, with which nodes tell again what was missed, he is still there.
	before := a.cluster.Stats().Told
	clusterWait(t, "two heartbeats", func() bool { return a.cluster.Stats().Told >= before+2 })
	bob.Text(`{"type":"ping"}`)
	bob.JSONOf("pong")
}

// TestClusterRulesAway: a node that was away learns what was decided and ended meanwhile; an engine that was flushed loses nothing of it, nor do all nodes that
// are started again; and another cluster at the same engine hears nothing.
func TestClusterRulesAway(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := clusterNode(t, r, "a", ""), clusterNode(t, r, "b", "")
	stranger := start(t, Config{Cluster: "unix:" + r.socket(), ClusterName: "other", NodeName: "c"})
	clusterWait(t, "it is ready", func() bool { return stranger.cluster.Ready() == nil })
	a.does(`{"act":"mute","name":"Bob"}`)
	b.posts(403, "muted")
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	clusterWait(t, "a hears no other", func() bool { return a.cluster.Stats().Nodes == 0 })
	if done := a.does(`{"act":"unmute","name":"Bob"}`); done.Node != "a" || len(done.Others) != 0 {
		t.Errorf("%+v", done)
	}
	a.does(`{"act":"ban","name":"Bob","reason":"meanwhile"}`)
	b = clusterNode(t, r, "b", b.cfg.Data)
	b.posts(403, "meanwhile")
	clusterWait(t, "it is not muted any more", func() bool { return len((backend{b.Server}).Rules("")) == 1 })

	r.kill(t)
	if err := os.RemoveAll(filepath.Join(r.dir, "appendonlydir")); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	b.does(`{"act":"mute","name":"Eve"}`)
	clusterWait(t, "a learns of it", func() bool { return len((backend{a.Server}).Rules("")) == 2 })
	for _, s := range []*running{a, b} {
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	a, b = clusterNode(t, r, "a", a.cfg.Data), clusterNode(t, r, "b", b.cfg.Data)
	for _, s := range []*running{a, b} {
		if rules := (backend{s.Server}).Rules(""); len(rules) != 2 {
			t.Errorf("started again: %+v", rules)
		}
	}
	if rules := (backend{stranger.Server}).Rules(""); len(rules) != 0 {
		t.Errorf("another cluster has %+v", rules)
	}
	if _, others := stranger.nodes()(); len(others) != 0 {
		t.Errorf("another cluster hears %v", others)
	}
}

// A lossyEngine loses one broadcast of five.
type lossyEngine struct{ cluster.Engine }

func (e lossyEngine) Broadcast(ctx context.Context, payload []byte) error {
	if rand.IntN(5) == 0 {
		return nil
	}
	return e.Engine.Broadcast(ctx, payload)
}

// TestClusterRulesLost: with a fifth of broadcasts lost, two nodes that decide at once come to the same.
func TestClusterRulesLost(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	lossy := func(e cluster.Engine) cluster.Engine { return lossyEngine{e} }
	list := make([]*running, 2)
	for i := range list {
		list[i] = start(t, Config{Cluster: "unix:" + r.socket(), NodeName: fmt.Sprint("n", i), engine: lossy})
	}
	for k := range 40 {
		for i, s := range list {
			s.does(fmt.Sprintf(`{"act":"ban","name":"name%d","reason":"by %d"}`, k, i))
			if k%3 == 0 {
				s.does(fmt.Sprintf(`{"act":"ban","identity":"only%d-%d"}`, i, k))
			}
		}
	}
	shown := func(s *running) string {
		var b strings.Builder
		for _, rule := range (backend{s.Server}).Rules("") {
			fmt.Fprintf(&b, "%s %s %s\n", rule.Kind, rule.About(), rule.Reason)
		}
		return b.String()
	}
	began := time.Now()
	clusterWait(t, "both have the same", func() bool { return shown(list[0]) == shown(list[1]) && strings.Count(shown(list[0]), "\n") == 40+28 })
	t.Logf("after %s; %d asked", time.Since(began), list[0].cluster.Stats().Wanted+list[1].cluster.Stats().Wanted)
}
