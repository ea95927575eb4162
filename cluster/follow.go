package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edgechat/codec"
	"edgechat/store"
)

const (
	// While somebody here waits for the tail it is read this often; else less, which costs a node without members less than half.
	paceWaited = 3 * time.Millisecond
	paceIdle   = 20 * time.Millisecond
	// lookEvery is how often the engine is asked how its log stands: one that was flushed has nothing to tell by the tail.
	lookEvery = time.Second
	// retryMost bounds how long an engine that is away is left alone, from retryFirst on.
	retryFirst = 50 * time.Millisecond
	retryMost  = time.Second
)

// follow is the tailer.
func (l *Log) follow() {
	retry := retryFirst
	for l.ctx.Err() == nil {
		err := l.run()
		if l.ctx.Err() != nil {
			return
		}
		if errors.Is(err, ErrUnverified) {
			retry = retryFirst
		}
		l.reached.Store(false)
		l.troubled(err)
		l.expire()
		if !l.sleep(retry) {
			return
		}
		retry = min(2*retry, retryMost)
		if l.state.Load() != nil && errors.Is(err, errSettled) {
			retry = retryFirst
		}
	}
}

var errSettled = errors.New("the log was just verified")

// run follows the log until something is wrong.
func (l *Log) run() error {
	st, err := l.look()
	if err != nil {
		return err
	}
	if !st.Verified {
		return l.settle(st)
	}
	if st.Epoch.N < l.newest { // a primary of before, which knows nothing of what came since
		return l.gone(st)
	}
	l.newest = st.Epoch.N
	if err := l.reconcile(st); err != nil {
		return err
	}
	looked := time.Now()
	at := uint64(0) // up to where it was read, if that is further than what this node has: what it has may stand there under a later epoch than it knows
	for l.ctx.Err() == nil {
		if l.doubted.Swap(false) || time.Since(looked) >= lookEvery {
			was := st
			if st, err = l.look(); err != nil {
				return err
			}
			if !st.Verified || st.Run != was.Run || st.Epoch.N != was.Epoch.N {
				return fmt.Errorf("%w: it is in run %s now", ErrUnverified, st.Run)
			}
			looked = time.Now()
			if l.behind(st) {
				return l.gone(st)
			}
			l.expire()
		}
		// A problem of the engine keeps it from taking messages, not us from reading them.
		if st.Problem == "" {
			if l.trouble.Load() != nil && countOf(l.store.Position()) >= countOf(st.Last) { // else it is behind still
				l.trusted()
			}
		} else {
			l.troubled(errors.New(st.Problem))
		}
		ctx, cancel := context.WithTimeout(l.ctx, ordinary)
		entries, err := l.engine.After(ctx, max(at, l.store.Position()))
		cancel()
		if err != nil {
			return fmt.Errorf("read the log behind %d: %w", l.store.Position(), err)
		}
		for _, e := range entries {
			if err := l.apply(e); err != nil {
				return err
			}
			at = e.Position
		}
		if len(entries) == 0 && countOf(st.Last) > countOf(l.store.Position()) {
			return l.leap(st, countOf(st.Last)) // there was something, and it is there no more
		}
		if len(entries) > 0 && !l.pause() {
			return l.ctx.Err()
		}
	}
	return l.ctx.Err()
}

// behind says that the engine has less than this node was told it has.
func (l *Log) behind(st State) bool {
	return countOf(st.Last) < countOf(l.store.Position())
}

// gone has the log of an engine verified that went back in the same run.
func (l *Log) gone(st State) error {
	ctx, cancel := context.WithTimeout(l.ctx, ordinary)
	defer cancel()
	if err := l.engine.Distrust(ctx, st.Run); err != nil {
		return err
	}
	return fmt.Errorf("%w: it ends at %d, and was at %d", ErrUnverified, st.Last, l.store.Position())
}

// look asks how the log stands.
func (l *Log) look() (State, error) {
	ctx, cancel := context.WithTimeout(l.ctx, ordinary)
	defer cancel()
	st, err := l.engine.State(ctx)
	if err != nil {
		return State{}, err
	}
	l.state.Store(&st)
	l.reached.Store(true)
	return st, nil
}

// pause rests between two reads.
func (l *Log) pause() bool {
	if !l.sleep(paceWaited) {
		return false
	}
	l.mu.Lock()
	waited := len(l.waiting) > 0 || len(l.barrier) > 0 || len(l.queue) > 0
	l.mu.Unlock()
	if waited {
		return true
	}
	t := time.NewTimer(paceIdle - paceWaited)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.hurry:
	case <-l.ctx.Done():
		return false
	}
	return true
}

// apply gives an entry to the store, and tells who waits for it.
func (l *Log) apply(e Entry) error {
	was := l.store.Position()
	if countOf(e.Position) <= countOf(was) {
		return nil // this node has it
	}
	if countOf(e.Position) != countOf(was)+1 {
		return l.leap(*l.state.Load(), countOf(e.Position)-1)
	}
	name, err := l.nameOf(epochOf(e.Position))
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
		if countOf(b.position) <= countOf(position) {
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

// nameOf returns the name of an epoch.
func (l *Log) nameOf(n uint64) (string, error) {
	if e, ok := l.epochs[n]; ok {
		return e.Name, nil
	}
	if err := l.learn(); err != nil {
		return "", err
	}
	e, ok := l.epochs[n]
	if !ok {
		return "", fmt.Errorf("the engine does not know epoch %d, of which it has messages", n)
	}
	return e.Name, nil
}

// learn asks for the epochs.
func (l *Log) learn() error {
	ctx, cancel := context.WithTimeout(l.ctx, ordinary)
	defer cancel()
	list, err := l.engine.Epochs(ctx)
	if err != nil {
		return err
	}
	l.told = make(map[uint64]string, len(list)) // an engine that was flushed knows less than this node
	for _, e := range list {
		if known := l.epochs[e.N]; e.Start == 0 && known.Name == e.Name {
			e.Start = known.Start
		}
		l.epochs[e.N], l.told[e.N] = e, e.Name
	}
	l.publishEpochs()
	return nil
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
	if have := epochOf(l.store.Position()); have > n.N {
		n = Epoch{N: have, Name: l.store.EpochOf(have)}
	}
	to := positionOf(n.N, count)
	// Heads are of now. Where a room has entries behind count, its head there is before the first of them.
	found := map[string]bool{}
	for at := to; countOf(at) < countOf(st.Last); {
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
		if countOf(position) <= count {
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

// epochAt returns the epoch that an entry with this count is of; N is 0 if it is of before the first.
func (l *Log) epochAt(count uint64) (at Epoch) {
	for _, e := range l.epochs {
		if e.Start > 0 && e.Start <= count && e.N > at.N {
			at = e
		}
	}
	return at
}

// expire fails those that have waited for too long.
func (l *Log) expire() {
	now := time.Now()
	l.failAll(func(p *pending) bool { return now.After(p.until) }, errors.New("the engine has not answered in time"))
}
