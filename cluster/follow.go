package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// While somebody here waits for the tail it is read this often; else less often.
	paceWaited = 3 * time.Millisecond
	paceIdle   = 20 * time.Millisecond
	// A node whose rooms are all empty has nobody who sees that it is late, and pays mostly for waking up.
	paceEmpty = 100 * time.Millisecond
	// manyEntries of one read say that there may be more than comes in time so.
	manyEntries = 500
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
			l.strike()
		}
		// A problem of the engine keeps it from taking messages, not us from reading them.
		if st.Problem == "" {
			if l.trouble.Load() != nil && CountOf(l.store.Position()) >= CountOf(st.Last) { // else it is behind still
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
		if len(entries) == 0 && CountOf(st.Last) > CountOf(l.store.Position()) {
			return l.leap(st, CountOf(st.Last)) // there was something, and it is there no more
		}
		if len(entries) > 0 && !l.pause(len(entries)) {
			return l.ctx.Err()
		}
	}
	return l.ctx.Err()
}

// behind says that the engine has less than this node was told it has.
func (l *Log) behind(st State) bool {
	return CountOf(st.Last) < CountOf(l.store.Position())
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

// pause rests between two reads, of which the first had so many entries.
func (l *Log) pause(entries int) bool {
	if !l.sleep(paceWaited) {
		return false
	}
	l.mu.Lock()
	waited := len(l.waiting) > 0 || len(l.barrier) > 0 || len(l.queue) > 0
	l.mu.Unlock()
	if waited || entries >= manyEntries {
		return true
	}
	pace := paceIdle
	if crowd := l.crowd.Load(); crowd != nil && (*crowd).Empty() {
		pace = paceEmpty
	}
	t := time.NewTimer(pace - paceWaited)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.hurry:
	case <-l.ctx.Done():
		return false
	}
	return true
}
