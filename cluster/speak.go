package cluster

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"time"
)

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
			p.beat()
			p.flush() // there may be some who have to wait for all
		case <-p.wake:
			if p.log.sleep(gatherJoins) {
				p.flush()
			}
		}
	}
}

func (p *presence) beat() {
	p.mu.Lock()
	m := &message{Kind: "beat", Number: p.number, Address: p.log.cfg.Address}
	p.mu.Unlock()
	if p.ledger != nil {
		m.Digest = digestOf(p.ledger.Sums())
	}
	p.send(p.log.ctx, m)
}

func (p *presence) bye() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.log.ctx), time.Second)
	defer cancel()
	p.send(ctx, &message{Kind: "bye"})
}

// flush broadcasts what is new. What is lost is noticed by those who miss its number; so if the engine does not take one, the rest is left.
func (p *presence) flush() {
	for _, m := range p.news() {
		if !p.send(p.log.ctx, m) {
			return
		}
	}
}

// news takes what waits to be broadcast. What moderators decided comes first.
func (p *presence) news() (list []*message) {
	p.mu.Lock()
	decided, which, wants := p.decided, p.wanted, p.wants
	p.decided, p.wanted, p.wants = nil, [LedgerParts]bool{}, false
	changes, typing, missed := p.changes, p.typing, p.missed
	p.changes, p.typing, p.missed = nil, nil, false
	for _, part := range decided {
		list = append(list, &message{Kind: "decided", Decided: part})
	}
	if missed {
		p.number++ // whoever hears of that asks
	}
	for _, part := range fitting(changes) {
		p.number++
		list = append(list, &message{Kind: "change", Number: p.number, Changes: part})
	}
	for _, part := range fitting(typing) {
		list = append(list, &message{Kind: "event", Events: part})
	}
	if p.asked && time.Since(p.allAt) >= allEvery {
		p.asked, p.allAt = false, time.Now()
		list = append(list, p.allLocked()...)
	}
	p.mu.Unlock()
	if wants { // without the lock: the ledger has its own
		for _, part := range p.ledger.Tell(which, mostPayload) {
			list = append(list, &message{Kind: "decided", Decided: part})
		}
	}
	return list
}

// allLocked returns everyone, in an order that is always the same: of two such lists with one number, parts of either are as good.
func (p *presence) allLocked() (list []*message) {
	all := make([]change, 0, len(p.here))
	for s, at := range p.here {
		all = append(all, change{s.room, s.name, s.verified, at.count, at.since})
	}
	slices.SortFunc(all, func(a, b change) int {
		c := cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Name, b.Name))
		if c == 0 && a.Verified {
			return -1
		}
		return c
	})
	parts := fitting(all)
	if len(parts) == 0 {
		parts = append(parts, nil)
	}
	for i, part := range parts {
		list = append(list, &message{Kind: "all", Number: p.number, Part: i, Parts: len(parts), Changes: part})
	}
	return list
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

// want wants what the ledger of a node has otherwise.
func (p *presence) want(node string, sums [LedgerParts]uint64) {
	m := &message{Kind: "want", Of: node, Sums: make([]byte, 0, 8*LedgerParts)}
	for _, s := range sums {
		m.Sums = binary.BigEndian.AppendUint64(m.Sums, s)
	}
	p.log.stats.wanted.Add(1)
	p.send(p.log.ctx, m)
}
