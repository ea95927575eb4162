package cluster

import (
	"context"
	"time"

	"edgechat/codec"
)

// syncMost is how long who comes with a cursor that this node does not have yet is waited for.
const syncMost = time.Second

// Read is that of hub.Log. A cursor that is ahead of this node waits until it has what the engine has.
func (l *Log) Read(room string, q codec.Query) (codec.Page, error) {
	if q.After != nil && l.ahead(room, *q.After) {
		l.sync()
	}
	return l.store.Read(room, q)
}

// ahead says that a cursor is of what this node may get still.
func (l *Log) ahead(room string, cursor codec.ID) bool {
	if cursor.Offset > l.store.Head(room).Offset {
		return true
	}
	return !l.store.Knows(cursor.Epoch)
}

// sync waits until this node has all that the engine had when it was called, for some time.
func (l *Log) sync() {
	if !l.reached.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, syncMost)
	defer cancel()
	l.stats.syncs.Add(1)
	st, err := l.fresh(ctx)
	if err != nil || CountOf(st.Last) <= CountOf(l.applied.Load()) {
		return
	}
	b := barrier{st.Last, make(chan struct{})}
	l.mu.Lock()
	if CountOf(st.Last) <= CountOf(l.applied.Load()) {
		l.mu.Unlock()
		return
	}
	l.barrier = append(l.barrier, b)
	l.mu.Unlock()
	signal(l.hurry)
	select {
	case <-b.passed:
	case <-ctx.Done():
	}
}

// A question is how the log stands, asked for all who came before it was asked.
type question struct {
	done chan struct{}
	st   State
	err  error
}

// fresh says how the log stands after it was called. Whoever comes while a question is under way shares the next one: however many there are, the
// engine is asked one at a time.
func (l *Log) fresh(ctx context.Context) (State, error) {
	l.mu.Lock()
	q, first := l.next, l.next == nil
	if first {
		q = &question{done: make(chan struct{})}
		l.next = q
	}
	l.mu.Unlock()
	if first {
		l.asking.Lock() // until the one before is answered
		l.mu.Lock()
		l.next = nil
		l.mu.Unlock()
		own, cancel := context.WithTimeout(l.ctx, syncMost)
		q.st, q.err = l.engine.State(own)
		cancel()
		l.asking.Unlock()
		close(q.done)
	}
	select {
	case <-q.done:
		return q.st, q.err
	case <-ctx.Done():
		return State{}, ctx.Err()
	}
}

// Head is that of hub.Log.
func (l *Log) Head(room string) codec.ID { return l.store.Head(room) }

// Oldest is that of hub.Log.
func (l *Log) Oldest(room string) codec.ID { return l.store.Oldest(room) }
