package cluster

import (
	"context"
	"errors"
	"fmt"

	"edgechat/codec"
	"edgechat/store"
)

// apply gives an entry to the store, and tells who waits for it.
func (l *Log) apply(e Entry) error {
	was := l.store.Position()
	if CountOf(e.Position) <= CountOf(was) {
		return nil // this node has it
	}
	if CountOf(e.Position) != CountOf(was)+1 {
		return l.leap(*l.state.Load(), CountOf(e.Position)-1)
	}
	name, err := l.nameOf(EpochOf(e.Position))
	if err != nil {
		return err
	}
	x := store.Positioned{Position: e.Position}
	if x.Record, err = codec.DecodeRecord(e.Record); err != nil { // it holds its place all the same
		l.log.Error("entry of the log not read", "position", e.Position, "room", e.Room, "err", err)
		l.stats.unread.Add(1)
		x.Record = codec.Record{Message: codec.Message{Kind: codec.Deletion}}
	}
	x.Room, x.Message.ID = e.Room, codec.ID{Epoch: name, Offset: e.Offset}

	// Those that wait for this store's file are told by it.
	l.mu.Lock()
	waiting := l.waiting[e.Position]
	delete(l.waiting, e.Position)
	l.mu.Unlock()
	late := l.store.Apply(x, nil)
	if late != nil && !errors.Is(late, codec.ErrNoTarget) {
		for _, p := range waiting {
			p.fail(fmt.Errorf("%w: %w", codec.ErrUnavailable, late))
		}
		return late
	}
	l.ring.add(e)
	l.stats.applied.Add(1)
	if late != nil {
		l.void(e.Position)
	}
	for _, p := range waiting {
		l.settled(p)
	}
	l.passed(e.Position)
	return nil
}

// mostVoid is how many positions are remembered that had no effect: those of some seconds.
const mostVoid = 4096

// void notes that the entry at a position had no effect: it changes what was gone.
func (l *Log) void(position uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.voids) >= mostVoid {
		clear(l.voids)
	}
	l.voids[position] = true
}

// passed notes a position, and lets those go on who wait for it. What was taken as it between those two is told too.
func (l *Log) passed(position uint64) {
	l.mu.Lock()
	l.applied.Store(position)
	kept := l.barrier[:0]
	for _, b := range l.barrier {
		if CountOf(b.position) <= CountOf(position) {
			close(b.passed)
		} else {
			kept = append(kept, b)
		}
	}
	clear(l.barrier[len(kept):])
	l.barrier = kept
	late := l.waiting[position]
	delete(l.waiting, position)
	l.mu.Unlock()
	for _, p := range late { // the answer to Append came while the entry was applied
		l.settled(p)
	}
}

// leap goes on behind what the log has no more, at a count.
func (l *Log) leap(st State, count uint64) error {
	ctx, cancel := context.WithTimeout(l.ctx, ordinary)
	defer cancel()
	heads, err := l.engine.Heads(ctx)
	if err != nil {
		return err
	}
	if err := l.learn(); err != nil {
		return err
	}
	n := l.epochAt(count)
	// An engine that was flushed does not know where all epochs began; but no entry behind this node's is of an earlier one.
	if have := EpochOf(l.store.Position()); have > n.N {
		n = Epoch{N: have, Name: l.store.EpochOf(have)}
	}
	to := PositionOf(n.N, count)
	// Heads are of now. Where a room has entries behind count, its head there is before the first of them.
	found := map[string]bool{}
	for at := to; CountOf(at) < CountOf(st.Last); {
		entries, err := l.engine.After(ctx, at)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			if !found[e.Room] {
				found[e.Room], heads[e.Room] = true, e.Offset-1
			}
			at = e.Position
		}
	}
	l.log.Warn("messages missed", "from", l.store.Position(), "to", to)
	l.stats.leaps.Add(1)
	if err := l.store.Leap(to, n.N, n.Name, heads); err != nil {
		return err
	}
	l.ring.clear()
	l.mu.Lock()
	var came []*pending
	for position, list := range l.waiting {
		if CountOf(position) <= count {
			came = append(came, list...)
			delete(l.waiting, position)
		}
	}
	l.mu.Unlock()
	for _, p := range came {
		l.settled(p)
	}
	l.passed(l.store.Position())
	return errSettled
}
