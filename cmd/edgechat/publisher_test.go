package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"edgechat/internal/edgetest"
)

// A publisher is a client that must lose nothing, as the protocol describes it.
type publisher struct {
	k          *killTest
	name, room string

	mu      sync.Mutex
	cursor  string            // id of the newest message seen; "" at first
	seen    []message         // in the order in which they came
	had     map[string]bool   // ids in seen
	pending []string          // keys of what was sent or is to be sent, not acked
	again   []string          // acked, and to be sent all the same, as if the ack had been lost
	acked   map[string]string // id by key
	made    int               // messages so far
	quiet   bool              // make no more
}

// content is what a message with this key says.
func (p *publisher) content(key string) string { return key + strings.Repeat(".", p.k.padding) }

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
	first, gap := true, false
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
				if !first || !m.WasRecovering || !p.k.displaces {
					p.k.t.Errorf("%s came back with %s: %s", p.name, cursor, payload)
					return
				}
				gap = true
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
			if at := offsetOf(cursor); previous == 0 && m.Offset > at+1 && !gap {
				p.k.t.Errorf("%s in %s came back with %s and was given %s first", p.name, p.room, cursor, m.ID)
			}
			previous = m.Offset
			if p.receive(m) && !gap { // who is told of a gap gets the newest in any case
				p.k.t.Errorf("%s came back with %s, which was recovered, and got %s again", p.name, cursor, m.ID)
				return
			}
		case "ack":
			p.ack(m)
		case "error":
			p.k.t.Errorf("%s: %s", p.name, payload)
			return
		}
		first = false
	}
}

// receive notes a message, and says if it was received before.
func (p *publisher) receive(m message) (again bool) {
	p.k.ledger.saw(p.room, m.ID, m.Content)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.had[m.ID] {
		return true
	}
	p.had[m.ID] = true
	p.seen = append(p.seen, m)
	p.cursor = m.ID
	return false
}

func (p *publisher) ack(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !m.Durable {
		p.k.t.Errorf("%s: ack of %s is not durable", p.name, m.Key)
	}
	p.k.ledger.acked(p.room, m.ID, p.content(m.Key))
	if had, ok := p.acked[m.Key]; ok && had != m.ID && !p.k.displaces { // else the original has left the buffer
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
	p.mu.Lock()
	p.pending = append(p.again, p.pending...)
	p.again = nil
	send := slices.Clone(p.pending)
	p.mu.Unlock()
	for ctx.Err() == nil {
		for _, key := range send {
			text := fmt.Sprintf(`{"type":"message","content":%q,"idempotency_key":%q}`, p.content(key), key)
			p.k.gate.RLock()
			_, err := conn.Write(edgetest.Frame(edgetest.OpText, []byte(text)))
			p.k.gate.RUnlock()
			if err != nil {
				return
			}
		}
		send = send[:0]
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		p.mu.Lock()
		for n := 0; n < p.k.burst && !p.quiet && len(p.pending) < p.k.window; n++ {
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

// check compares what p saw with what the server kept, and
// returns how many of the messages it saw are gone, for which the ledger answers.
func (p *publisher) check(truth []message) (lost int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := map[string]string{} // content by id
	for _, m := range truth {
		kept[m.ID] = m.Content
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
