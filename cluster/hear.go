package cluster

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"edgechat/codec"
)

// An other is what is known of another node.
type other struct {
	boot    string
	number  uint64
	known   bool // its members are
	heard   time.Time
	asked   time.Time
	address string // where clients reach it; "" is nowhere
	members map[seat]*place
	parts   map[int][]change // of an all that is on its way, as of number partsOf
	partsOf uint64
	wish    wish
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
				if was := p.why.Swap(&err); was == nil || (*was).Error() != err.Error() {
					p.log.log.Warn("nodes not heard", "err", err)
				}
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
	p.awake()
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
	if p.take(o, &m) {
		p.ask(o, m.Node)
	}
}

// take does what a broadcast of another node says. It reports whether something of that node was missed.
func (p *presence) take(o *other, m *message) (missed bool) {
	mine := m.Of == p.log.cfg.Node
	switch m.Kind {
	case "bye":
		p.replace(o, nil)
		delete(p.others, m.Node)
	case "ask":
		if mine {
			p.mu.Lock()
			p.asked = true
			p.mu.Unlock()
			signal(p.wake)
		}
	case "want":
		if mine {
			p.wantedBy(m.Sums)
		}
	case "decided":
		p.decidedElsewhere(m.Decided)
	case "event":
		for _, e := range m.Events {
			p.crowd.Abroad(e.Room, &codec.Event{Type: codec.TypeTyping, Username: e.Name, Verified: e.Verified, Time: e.Time})
		}
	case "change":
		switch {
		case !o.known || m.Number > o.number+1:
			return true
		case m.Number == o.number+1:
			o.number++
			for _, c := range m.Changes {
				p.change(o, c)
			}
		}
	case "beat":
		o.address = m.Address
		p.compare(o, m.Node, m.Digest)
		return !o.known || m.Number != o.number
	case "all":
		p.part(o, m)
	}
	return false
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

// awake notes that somebody was heard. After a time of deafness all others have as long to be heard as ever.
func (p *presence) awake() {
	p.heard = time.Now()
	if !p.deaf {
		return
	}
	p.deaf = false
	p.since.Store(0)
	p.why.Store(nil)
	for _, o := range p.others {
		o.heard = p.heard
	}
	p.log.log.Info("other nodes are heard again")
}

// bury has those leave who are on nodes that are silent, and notes which are not.
func (p *presence) bury() {
	if quiet := time.Since(p.heard); !p.deaf && quiet > deafAfter {
		p.deaf = true
		p.since.Store(p.heard.UnixNano())
		p.log.log.Warn("no node is heard, this one neither: who is on others stays as it was", "since", p.heard)
	}
	if p.deaf {
		return
	}
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
		peer := Peer{Node: node, Address: o.address, Heard: time.Since(o.heard)}
		for _, at := range o.members {
			peer.Members += at.count
		}
		peers = append(peers, peer)
	}
	slices.SortFunc(peers, func(a, b Peer) int { return strings.Compare(a.Node, b.Node) })
	p.peers.Store(&peers)
	if p.log.cfg.Heard != nil {
		p.log.cfg.Heard(peers)
	}
}
