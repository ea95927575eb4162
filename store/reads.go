package store

import (
	"errors"
	"sync/atomic"
	"time"
)

// reads are those of the history that are under way. Each has a goroutine of its own, which hangs
// with the disk if that does; whoever asked goes on without it.
type reads struct {
	slots chan struct{} // as many as there may be at once
	late  atomic.Int32  // how many nobody waits for any more
}

var errLate = errors.New("the disk has not answered")

// do has read run, and waits for it. The error is errLate.
//
// Once a read is late, whoever finds no slot free is told at once: the disk hangs, and to wait for it
// one by one would keep everybody.
func (r *reads) do(wait time.Duration, read func() fetched) (fetched, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case r.slots <- struct{}{}:
	default:
		if r.late.Load() > 0 {
			return fetched{}, errLate
		}
		select {
		case r.slots <- struct{}{}:
		case <-timer.C:
			return fetched{}, errLate
		}
	}
	done := make(chan fetched, 1)
	var state atomic.Int32 // 1: late, 2: done
	go func() {
		done <- read()
		if !state.CompareAndSwap(0, 2) {
			r.late.Add(-1)
		}
		<-r.slots
	}()
	select {
	case f := <-done:
		return f, nil
	case <-timer.C:
		if state.CompareAndSwap(0, 1) {
			r.late.Add(1)
			return fetched{}, errLate
		}
		return <-done, nil
	}
}
