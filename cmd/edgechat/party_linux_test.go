package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

// A party is people in rooms of ten, each of whom says something twice a second, one after the other: somebody hears of
// whatever takes a while.
type party struct {
	t       *testing.T
	board   *board
	ledger  *ledger
	started time.Time
	quit    chan struct{}
	once    sync.Once
	talkers sync.WaitGroup
	conns   []*edgetest.Client

	mu   sync.Mutex
	took []time.Duration
}

func newParty(t *testing.T, b *board, l *ledger, name string, people int) *party {
	t.Helper()
	p := &party{t: t, board: b, ledger: l, started: time.Now(), quit: make(chan struct{})}
	for i := range people {
		room := fmt.Sprint("room", i%(people/10))
		c := edgetest.Dial(t, fmt.Sprintf("http://%s/chat/room/%s?username=p%d", b.addr, room, i), "Sec-WebSocket-Protocol: edgechat.v1.json")
		c.Timeout = time.Minute
		p.conns = append(p.conns, c)
		said := new(sync.Map)                            // contents by key
		p.talkers.Go(func() { p.listen(c, room, said) }) // both until end
		p.talkers.Go(func() { p.talk(c, fmt.Sprint(name, i), talkEach*time.Duration(i)/time.Duration(people), said) })
	}
	return p
}

const talkEach = 500 * time.Millisecond

func (p *party) talk(c *edgetest.Client, name string, after time.Duration, said *sync.Map) {
	next := time.NewTimer(after)
	defer next.Stop()
	for n := 0; ; n++ {
		select {
		case <-p.quit:
			return
		case <-next.C:
			next.Reset(talkEach)
		}
		key := fmt.Sprint(name, ".", n)
		content := fmt.Sprintf("%d %s %s", time.Since(p.started), key, strings.Repeat("x", 150))
		said.Store(key, content)
		text := fmt.Sprintf(`{"type":"message","content":%q,"idempotency_key":%q}`, content, key)
		if _, err := c.Conn.Write(edgetest.Frame(edgetest.OpText, []byte(text))); err != nil {
			return // listen says why
		}
	}
}

func (p *party) listen(c *edgetest.Client, room string, said *sync.Map) {
	for {
		op, payload, err := c.Read()
		if err != nil {
			select {
			case <-p.quit:
			default:
				p.t.Errorf("somebody in %s: %v", room, err)
			}
			return
		}
		if op != edgetest.OpText {
			continue
		}
		switch m, _ := decode(payload); m.Type {
		case "message":
			p.ledger.saw(room, m.ID, m.Content)
			var sent time.Duration
			if _, err := fmt.Sscan(m.Content, &sent); err != nil {
				p.t.Errorf("%s: %v", payload, err)
			}
			p.mu.Lock()
			p.took = append(p.took, time.Since(p.started)-sent)
			p.mu.Unlock()
		case "ack":
			if m.Durable {
				content, _ := said.Load(m.Key)
				p.ledger.acked(room, m.ID, content.(string))
			}
		}
	}
}

// look asks for old messages, which are on the card alone, and for signs of life.
func (p *party) look(card *faultydisk.Card) {
	evict(card, p.board)
	for n := 0; ; n++ {
		select {
		case <-p.quit:
			return
		case <-time.After(250 * time.Millisecond):
		}
		if status, body, err := p.board.get("/healthz", 10*time.Second); err != nil || status != 200 {
			p.t.Errorf("/healthz: %d %s, %v", status, body, err)
		}
		p.talkers.Go(func() { _, _, _ = p.board.get(fmt.Sprintf("/chat/room/room%d/messages?limit=100", n%5), 2*time.Second) })
	}
}

// forget forgets how long messages took.
func (p *party) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = nil
}

type deliveries struct {
	n   int
	p99 time.Duration
}

func (p *party) slowest() deliveries {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.took) == 0 {
		return deliveries{}
	}
	return deliveries{len(p.took), sorted(p.took)[len(p.took)*99/100].Round(10 * time.Microsecond)}
}

// end sends everybody home.
func (p *party) end() {
	p.once.Do(func() { close(p.quit) })
	for _, c := range p.conns {
		_ = c.Conn.Close()
	}
	p.talkers.Wait()
}
