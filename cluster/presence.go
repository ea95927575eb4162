package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/codec"
)

// Presence is who is in which room on other nodes. Nodes broadcast what changes and, once a second, how far they are; what was lost on the way is noticed
// by that, and asked for. A node that has not been heard for some time is dead, and all its members have left.
//
//	change  numbered, one more than the last: who joined and left
//	event   typing, which may be lost
//	beat    the number of the last change
//	ask     of one node: send all
//	all     everyone of a node, in parts, as of a number
//	bye     the node stops
type presence struct {
	log   *Log
	boot  string // of this process: a node that was started again numbers anew
	crowd Crowd

	mu      sync.Mutex
	number  uint64
	here    map[seat]*place // everyone here
	changes []change        // not broadcast yet
	typing  []event
	asked   bool // somebody wants all
	wake    chan struct{}

	others map[string]*other      // by node; the listener's
	peers  atomic.Pointer[[]Peer] // the same, as it was a second ago
}

// A Crowd is told what other nodes announce; package hub has it.
type Crowd interface {
	Abroad(room string, e *codec.Event)
}

type seat struct {
	room, name string
	verified   bool
}

type place struct {
	count int
	since int64
}

// An other is what is known of another node.
type other struct {
	boot    string
	number  uint64
	known   bool // its members are
	heard   time.Time
	asked   time.Time
	members map[seat]*place
	parts   map[int][]change // of an all that is on its way, as of number partsOf
	partsOf uint64
}

// A message is what is broadcast.
type message struct {
	Node    string   `json:"node"`
	Boot    string   `json:"boot"`
	Kind    string   `json:"kind"`
	Number  uint64   `json:"number,omitempty"`
	Of      string   `json:"of,omitempty"` // of an ask: which node
	Part    int      `json:"part,omitempty"`
	Parts   int      `json:"parts,omitempty"`
	Changes []change `json:"changes,omitempty"`
	Events  []event  `json:"events,omitempty"`
}

type change struct {
	Room     string `json:"r"`
	Name     string `json:"u"`
	Verified bool   `json:"v,omitempty"`
	By       int    `json:"n"` // who joined is 1, who left -1; of an all, how many there are
	Time     int64  `json:"t"`
}

type event struct {
	Room     string `json:"r"`
	Name     string `json:"u"`
	Verified bool   `json:"v,omitempty"`
	Time     int64  `json:"t"`
}

const (
	beatEvery   = time.Second
	deadAfter   = 5 * time.Second
	askAgain    = 500 * time.Millisecond
	gatherJoins = 10 * time.Millisecond
	// A broadcast is below what PostgreSQL takes in one (8,000 bytes).
	mostPayload = 7000
	// mostTyping is how many of these wait, at most: further ones are lost.
	mostTyping = 256
)

// Announced is told what is announced here; see hub.Config.
func (l *Log) Announced(room string, e *codec.Event) { l.presence.announced(room, e) }

// Meet begins to tell crowd of others, and others of what Announced was told. It is called once, after Deliver.
func (l *Log) Meet(crowd Crowd) {
	l.presence.crowd = crowd
	l.wg.Go(l.presence.speak)
	l.wg.Go(l.presence.listen)
}

func (p *presence) init(l *Log) {
	var b [8]byte
	rand.Read(b[:]) // never fails
	p.log, p.boot = l, hex.EncodeToString(b[:])
	p.here, p.others, p.wake = map[seat]*place{}, map[string]*other{}, make(chan struct{}, 1)
}

func (p *presence) announced(room string, e *codec.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := seat{room, e.Username, e.Verified}
	switch e.Type {
	case codec.TypeTyping:
		if len(p.typing) >= mostTyping {
			return
		}
		p.typing = append(p.typing, event{room, e.Username, e.Verified, e.Time})
	case codec.TypeJoined:
		if p.here[s] == nil {
			p.here[s] = &place{since: e.Time}
		}
		p.here[s].count++
		p.changes = append(p.changes, change{room, e.Username, e.Verified, 1, e.Time})
	case codec.TypeLeft:
		if at := p.here[s]; at != nil {
			if at.count--; at.count == 0 {
				delete(p.here, s)
			}
		}
		p.changes = append(p.changes, change{room, e.Username, e.Verified, -1, e.Time})
	}
	signal(p.wake)
}

// speak broadcasts until the Log is closed, and then says so.
func (p *presence) speak() {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-p.log.ctx.Done():
			p.bye()
			return
		case <-beat.C:
			p.mu.Lock()
			number := p.number
			p.mu.Unlock()
			p.send(p.log.ctx, &message{Kind: "beat", Number: number})
		case <-p.wake:
			if p.log.sleep(gatherJoins) {
				p.flush()
			}
		}
	}
}

func (p *presence) bye() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.log.ctx), time.Second)
	defer cancel()
	p.send(ctx, &message{Kind: "bye"})
}

// flush broadcasts what is new. What is lost is noticed by those who miss its number.
func (p *presence) flush() {
	p.mu.Lock()
	var list []*message
	for len(p.changes) > 0 {
		n := fitting(p.changes)
		p.number++
		list = append(list, &message{Kind: "change", Number: p.number, Changes: p.changes[:n:n]})
		p.changes = p.changes[n:]
	}
	p.changes = nil
	if len(p.typing) > 0 {
		for typing := p.typing; len(typing) > 0; {
			n := min(len(typing), 32)
			list = append(list, &message{Kind: "event", Events: typing[:n:n]})
			typing = typing[n:]
		}
		p.typing = nil
	}
	if p.asked {
		p.asked = false
		list = append(list, p.allLocked()...)
	}
	p.mu.Unlock()
	for _, m := range list {
		p.send(p.log.ctx, m)
	}
}

// fitting returns how many changes fit into one broadcast.
func fitting(list []change) int {
	bytes := 0
	for i, c := range list {
		if bytes += 6*(len(c.Room)+len(c.Name))/4 + 64; bytes > mostPayload-256 && i > 0 {
			return i
		}
	}
	return len(list)
}

func (p *presence) allLocked() (list []*message) {
	all := make([]change, 0, len(p.here))
	for s, at := range p.here {
		all = append(all, change{s.room, s.name, s.verified, at.count, at.since})
	}
	for first := true; first || len(all) > 0; first = false {
		n := fitting(all)
		list = append(list, &message{Kind: "all", Number: p.number, Part: len(list), Changes: all[:n:n]})
		all = all[n:]
	}
	for _, m := range list {
		m.Parts = len(list)
	}
	return list
}

func (p *presence) send(ctx context.Context, m *message) {
	m.Node, m.Boot = p.log.cfg.Node, p.boot
	b, err := json.Marshal(m)
	if err != nil {
		return // there is nothing in it that has no form
	}
	ctx, cancel := context.WithTimeout(ctx, ordinary)
	defer cancel()
	if err := p.log.engine.Broadcast(ctx, b); err != nil {
		p.log.stats.silent.Add(1)
	}
}

// listen hears others until the Log is closed.
func (p *presence) listen() {
	ctx := p.log.ctx
	heard := make(chan []byte, 64)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(heard)
		for ctx.Err() == nil {
			err := p.log.engine.Listen(ctx, func(payload []byte) {
				select {
				case heard <- append([]byte(nil), payload...):
				case <-ctx.Done():
				}
			})
			if err != nil && ctx.Err() == nil {
				p.log.stats.deaf.Add(1)
			}
			if !p.log.sleep(askAgain) {
				return
			}
		}
	})
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for open := true; open; {
		select {
		case b, ok := <-heard:
			if open = ok; ok {
				p.hear(b)
			}
		case <-tick.C:
			p.bury()
		}
	}
	wg.Wait()
}

// hear takes a broadcast.
func (p *presence) hear(b []byte) {
	var m message
	if err := json.Unmarshal(b, &m); err != nil || m.Node == "" {
		return // another program's
	}
	if m.Node == p.log.cfg.Node {
		if m.Boot != p.boot {
			p.log.twin()
		}
		return
	}
	o := p.others[m.Node]
	if o == nil {
		o = &other{members: map[seat]*place{}}
		p.others[m.Node] = o
	}
	if o.boot != m.Boot {
		if o.boot != "" && m.Kind == "bye" {
			return // of the process before
		}
		o.boot, o.number, o.known, o.parts = m.Boot, 0, false, nil
	}
	o.heard = time.Now()
	switch m.Kind {
	case "bye":
		p.replace(o, nil)
		delete(p.others, m.Node)
		return
	case "ask":
		if m.Of == p.log.cfg.Node {
			p.mu.Lock()
			p.asked = true
			p.mu.Unlock()
			signal(p.wake)
		}
		return
	case "event":
		for _, e := range m.Events {
			p.crowd.Abroad(e.Room, &codec.Event{Type: codec.TypeTyping, Username: e.Name, Verified: e.Verified, Time: e.Time})
		}
		return
	case "change":
		switch {
		case o.known && m.Number == o.number+1:
			o.number++
			for _, c := range m.Changes {
				p.change(o, c)
			}
			return
		case o.known && m.Number <= o.number:
			return
		}
	case "beat":
		if o.known && m.Number == o.number {
			return
		}
	case "all":
		p.part(o, &m)
		return
	}
	p.ask(o, m.Node)
}

// ask wants all of a node.
func (p *presence) ask(o *other, node string) {
	if time.Since(o.asked) < askAgain {
		return
	}
	o.asked = time.Now()
	p.log.stats.asked.Add(1)
	p.send(p.log.ctx, &message{Kind: "ask", Of: node})
}

// part takes a part of all.
func (p *presence) part(o *other, m *message) {
	if o.known && m.Number <= o.number || m.Parts < 1 || m.Part < 0 || m.Part >= m.Parts {
		return
	}
	if o.parts == nil || o.partsOf != m.Number {
		o.parts, o.partsOf = map[int][]change{}, m.Number
	}
	o.parts[m.Part] = m.Changes
	if len(o.parts) < m.Parts {
		return
	}
	all := map[seat]*place{}
	for _, list := range o.parts {
		for _, c := range list {
			all[seat{c.Room, c.Name, c.Verified}] = &place{c.By, c.Time}
		}
	}
	o.parts, o.known, o.number = nil, true, m.Number
	p.replace(o, all)
}

func (p *presence) change(o *other, c change) {
	s := seat{c.Room, c.Name, c.Verified}
	at := o.members[s]
	if c.By > 0 {
		if at == nil {
			at = &place{since: c.Time}
			o.members[s] = at
		}
		at.count++
		p.tell(codec.TypeJoined, s, c.Time)
		return
	}
	if at == nil {
		return
	}
	if at.count--; at.count == 0 {
		delete(o.members, s)
	}
	p.tell(codec.TypeLeft, s, c.Time)
}

// replace makes all those who are there, and tells of those who were and are not, and the reverse.
func (p *presence) replace(o *other, all map[seat]*place) {
	now := time.Now().UnixMilli()
	for s, at := range o.members {
		left := at.count
		if is := all[s]; is != nil {
			left -= is.count
		}
		for range max(left, 0) {
			p.tell(codec.TypeLeft, s, now)
		}
	}
	for s, at := range all {
		joined := at.count
		if was := o.members[s]; was != nil {
			joined -= was.count
		}
		for range max(joined, 0) {
			p.tell(codec.TypeJoined, s, at.since)
		}
	}
	if o.members = all; all == nil {
		o.members = map[seat]*place{}
	}
}

func (p *presence) tell(what codec.Type, s seat, at int64) {
	p.crowd.Abroad(s.room, &codec.Event{Type: what, Username: s.name, Verified: s.verified, Time: at})
}

// bury has those leave who are on nodes that are silent, and notes which are not.
func (p *presence) bury() {
	for node, o := range p.others {
		if time.Since(o.heard) > deadAfter {
			p.log.log.Warn("node silent", "silent", node, "members", len(o.members))
			p.log.stats.buried.Add(1)
			p.replace(o, nil)
			delete(p.others, node)
		}
	}
	peers := make([]Peer, 0, len(p.others))
	for node, o := range p.others {
		peer := Peer{Node: node, Heard: time.Since(o.heard)}
		for _, at := range o.members {
			peer.Members += at.count
		}
		peers = append(peers, peer)
	}
	slices.SortFunc(peers, func(a, b Peer) int { return strings.Compare(a.Node, b.Node) })
	p.peers.Store(&peers)
}
