package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

var kills = flag.Int("kills", 10, "how often TestKill kills the server")

// The promise, on the whole program: the server is killed (SIGKILL) at random
// moments while clients publish. Every acked message is there afterwards under
// the same id, no id stands for two messages, no message is there twice though
// everything that was not acked is sent again, and who comes back with a cursor
// sees each message that was kept once and in order. More rounds:
//
//	go test ./cmd/edgechat -run TestKill -kills 100 -timeout 30m -v
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const clients, rooms = 20, 4
	k := &killTest{t: t, addr: freeAddr(t), data: t.TempDir(), contents: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var all []*publisher
	for i := range clients {
		p := &publisher{k: k, name: fmt.Sprintf("c%d", i), room: fmt.Sprintf("room%d", i%rooms), acked: map[string]string{}, had: map[string]bool{}}
		all = append(all, p)
		wg.Go(func() { p.run(ctx) }) // until cancel
	}
	defer wg.Wait()
	defer cancel()

	for range *kills {
		k.start()
		// From the middle of its start to the middle of the talk.
		time.Sleep(time.Duration(20+rand.IntN(600)) * time.Millisecond)
		k.kill()
		if t.Failed() {
			return
		}
	}
	k.start()
	for _, p := range all {
		p.mu.Lock()
		p.quiet = true
		p.mu.Unlock()
	}
	acked, kept, lost := 0, 0, 0
	for _, p := range all {
		k.wait(p.name+" to get all acks", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.pending) == 0 })
		p.mu.Lock()
		acked += len(p.acked)
		p.mu.Unlock()
	}
	truths := map[string][]message{}
	for i := range rooms {
		room := fmt.Sprintf("room%d", i)
		truths[room] = k.history(room)
		kept += len(truths[room])
	}
	for _, p := range all {
		truth := truths[p.room]
		if len(truth) == 0 {
			t.Fatalf("%s is empty: nothing was tested", p.room)
		}
		last := truth[len(truth)-1].ID
		k.wait(p.name+" to see the newest message", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.cursor == last })
		lost += p.check(truth)
	}
	if acked == 0 || *kills > 5 && k.recoveries() == 0 {
		t.Fatal("no acks or no reconnects: nothing was tested")
	}
	t.Logf("%d kills: %d messages acked, %d kept, %d reconnects, %d sights of messages that were lost unacked", *kills, acked, kept, k.recoveries(), lost)
	k.stop()
}

// killTest is the server, and what all clients know together.
type killTest struct {
	t          *testing.T
	addr, data string
	cmd        *exec.Cmd
	stderr     bytes.Buffer

	mu       sync.Mutex
	contents map[string]string // of each room and id that anyone ever saw
	returns  int               // reconnects with a cursor
}

func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (k *killTest) start() {
	k.t.Helper()
	k.stderr.Reset()
	k.cmd = exec.Command("edgechat", "serve", "--listen", k.addr, "--data", k.data,
		"--history", "100000", "--history-bytes", "256MiB", "--replay-limit", "10000")
	k.cmd.Stderr = &k.stderr
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	cmd := k.cmd
	k.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

func (k *killTest) kill() {
	k.t.Helper()
	if err := k.cmd.Process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	// An end before the kill would be a crash.
	if err := k.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		k.t.Fatalf("the server ended by itself: %v\n%s", err, k.stderr.String())
	}
}

// stop ends the server as a person would; it must have no complaint.
func (k *killTest) stop() {
	k.t.Helper()
	if err := k.cmd.Process.Signal(os.Interrupt); err != nil {
		k.t.Fatal(err)
	}
	if err := k.cmd.Wait(); err != nil {
		k.t.Fatalf("orderly stop: %v\n%s", err, k.stderr.String())
	}
}

func (k *killTest) recoveries() int { k.mu.Lock(); defer k.mu.Unlock(); return k.returns }

func (k *killTest) wait(what string, done func() bool) {
	k.t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) || k.t.Failed() {
			k.kill() // ends the writes to stderr
			k.t.Fatalf("waited for %s\n%s", what, k.stderr.String())
		}
	}
}

// saw notes that id stands for content in room; it may not stand for anything else.
func (k *killTest) saw(room, id, content string) {
	id = room + " " + id // offsets, and so ids, are a room's own
	k.mu.Lock()
	defer k.mu.Unlock()
	if had, ok := k.contents[id]; ok && had != content {
		k.t.Errorf("id %s stands for %q and for %q", id, had, content)
	}
	k.contents[id] = content
}

// history pages through all that is kept of room, oldest first.
func (k *killTest) history(room string) (list []message) {
	k.t.Helper()
	for before := ""; ; {
		resp, err := http.Get("http://" + k.addr + "/chat/room/" + room + "/messages?limit=1000" + before)
		if err != nil {
			k.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var page struct{ Messages []message }
		if err = errors.Join(err, json.Unmarshal(body, &page)); err != nil || resp.StatusCode != 200 {
			k.t.Fatalf("history of %s: %s %v %.200s", room, resp.Status, err, body)
		}
		if len(page.Messages) == 0 {
			break
		}
		list = append(page.Messages, list...)
		before = "&before=" + list[0].ID
	}
	contents := map[string]bool{}
	for i, m := range list {
		if m.Offset != list[0].Offset+uint64(i) {
			k.t.Errorf("history of %s: offset %d follows %d", room, m.Offset, list[i-1].Offset)
		}
		if contents[m.Content] {
			k.t.Errorf("history of %s has %q twice", room, m.Content)
		}
		contents[m.Content] = true
		k.saw(room, m.ID, m.Content)
	}
	return list
}

type message struct {
	Type    string
	ID      string
	Offset  uint64
	Content string

	WasRecovering, Recovered bool   // of "subscribed", see decode
	Key                      string // of "ack" and "error"
	Durable                  bool
	Text                     string // of "error"
}

func decode(p []byte) (m message, err error) {
	var raw struct {
		Type, ID, Content, Message string
		Offset                     uint64
		Durable                    bool
		WasRecovering              bool   `json:"was_recovering"`
		Recovered                  bool   `json:"recovered"`
		Key                        string `json:"idempotency_key"`
	}
	err = json.Unmarshal(p, &raw)
	return message{raw.Type, raw.ID, raw.Offset, raw.Content, raw.WasRecovering, raw.Recovered, raw.Key, raw.Durable, raw.Message}, err
}

// A publisher is a client that must lose nothing, as the protocol describes it.
type publisher struct {
	k          *killTest
	name, room string

	mu      sync.Mutex
	cursor  string            // id of the newest message seen; "" at first
	seen    []message         // in the order in which they came
	had     map[string]bool   // ids in seen
	pending []string          // sent or to be sent, not acked; content and key alike
	again   []string          // acked, and to be sent all the same, as if the ack had been lost
	acked   map[string]string // id by key
	made    int               // messages so far
	quiet   bool              // make no more
}

// run connects again and again until ctx ends.
func (p *publisher) run(ctx context.Context) {
	for ctx.Err() == nil && !p.k.t.Failed() {
		if conn, err := net.Dial("tcp", p.k.addr); err == nil {
			p.talk(ctx, conn)
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	}
}

// talk lives as long as the connection.
func (p *publisher) talk(ctx context.Context, conn net.Conn) {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	p.mu.Lock()
	cursor := p.cursor
	p.mu.Unlock()
	since := cursor
	if since == "" {
		since = "all"
	}
	u := &url.URL{Host: p.k.addr, Path: "/chat/room/" + p.room, RawQuery: "username=" + p.name + "&since=" + since}
	if _, err := io.WriteString(conn, edgetest.Handshake(u, "Sec-WebSocket-Protocol: edgechat.v1.json")); err != nil {
		return
	}
	if head, err := readHead(conn); err != nil {
		return
	} else if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		if !strings.HasPrefix(head, "HTTP/1.1 503 ") {
			p.k.t.Errorf("%s: the upgrade was answered with %q", p.name, head)
		}
		return
	}
	c := edgetest.NewClient(p.k.t, conn)
	first := true
	var previous uint64 // offset of the message before, on this connection
	for {
		op, payload, err := c.Read()
		if err != nil {
			return
		}
		if op == edgetest.OpPing {
			_, _ = conn.Write(edgetest.Frame(edgetest.OpPong, payload))
		}
		if op != edgetest.OpText {
			continue
		}
		m, err := decode(payload)
		if err != nil {
			p.k.t.Errorf("%s: %q: %v", p.name, payload, err)
			return
		}
		switch m.Type {
		case "subscribed":
			if !first || cursor != "" && (!m.WasRecovering || !m.Recovered) {
				p.k.t.Errorf("%s came back with %s: %s", p.name, cursor, payload)
				return
			}
			if cursor != "" {
				p.k.mu.Lock()
				p.k.returns++
				p.k.mu.Unlock()
			}
			wg.Go(func() { p.write(ctx, conn) }) // until talk returns
		case "message":
			if previous != 0 && m.Offset != previous+1 {
				p.k.t.Errorf("%s in %s: offset %d follows %d on one connection", p.name, p.room, m.Offset, previous)
			}
			if at := offsetOf(cursor); previous == 0 && m.Offset > at+1 {
				p.k.t.Errorf("%s in %s came back with %s and was given %s first", p.name, p.room, cursor, m.ID)
			}
			previous = m.Offset
			p.receive(m)
		case "ack":
			p.ack(m)
		case "error":
			p.k.t.Errorf("%s: %s", p.name, payload)
			return
		}
		first = false
	}
}

func (p *publisher) receive(m message) {
	p.k.saw(p.room, m.ID, m.Content)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.had[m.ID] {
		p.k.t.Errorf("%s got %s twice", p.name, m.ID)
	}
	p.had[m.ID] = true
	p.seen = append(p.seen, m)
	p.cursor = m.ID
}

func (p *publisher) ack(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !m.Durable {
		p.k.t.Errorf("%s: ack of %s is not durable", p.name, m.Key)
	}
	if had, ok := p.acked[m.Key]; ok && had != m.ID {
		p.k.t.Errorf("%s: %s was acked as %s and as %s", p.name, m.Key, had, m.ID)
	}
	if _, ok := p.acked[m.Key]; !ok && rand.IntN(4) == 0 {
		p.again = append(p.again, m.Key)
	}
	p.acked[m.Key] = m.ID
	p.pending = slices.DeleteFunc(p.pending, func(key string) bool { return key == m.Key })
}

// write sends what is pending again, and then new messages, a few at a time.
func (p *publisher) write(ctx context.Context, conn net.Conn) {
	const window = 6
	p.mu.Lock()
	p.pending = append(p.again, p.pending...)
	p.again = nil
	send := slices.Clone(p.pending)
	p.mu.Unlock()
	for ctx.Err() == nil {
		for _, key := range send {
			text := fmt.Sprintf(`{"type":"message","content":%q,"idempotency_key":%[1]q}`, key)
			if _, err := conn.Write(edgetest.Frame(edgetest.OpText, []byte(text))); err != nil {
				return
			}
		}
		send = send[:0]
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		p.mu.Lock()
		if !p.quiet && len(p.pending) < window {
			p.made++
			key := fmt.Sprintf("%s-%d", p.name, p.made)
			p.pending = append(p.pending, key)
			send = append(send, key)
		}
		quiet := p.quiet
		p.mu.Unlock()
		if quiet && len(send) == 0 {
			return
		}
	}
}

// check compares what p saw and was promised with what the server kept, and
// returns how many of the messages it saw are gone, which no ack may stand for.
func (p *publisher) check(truth []message) (lost int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := map[string]string{} // content by id
	for _, m := range truth {
		kept[m.ID] = m.Content
	}
	for key, id := range p.acked {
		if kept[id] != key {
			p.k.t.Errorf("%s: %s was acked as %s, which is %q now", p.name, key, id, kept[id])
		}
	}
	var seen, want []string
	for _, m := range p.seen {
		if _, ok := kept[m.ID]; ok {
			seen = append(seen, m.ID)
		} else {
			lost++
		}
	}
	for _, m := range truth {
		want = append(want, m.ID)
	}
	if !slices.Equal(seen, want) {
		i := 0
		for i < min(len(seen), len(want)) && seen[i] == want[i] {
			i++
		}
		p.k.t.Errorf("%s saw %d of the %d messages of %s, the first difference at %d: %s, want %s", p.name, len(seen), len(want), p.room, i,
			strings.Join(seen[i:min(i+3, len(seen))], " "), strings.Join(want[i:min(i+3, len(want))], " "))
	}
	return lost
}

func offsetOf(id string) uint64 {
	_, text, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// readHead reads the head of a response and not a byte more.
func readHead(r io.Reader) (string, error) {
	var b []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(r, one); err != nil {
			return "", err
		}
		b = append(b, one[0])
	}
	return string(b), nil
}
