package ws

import (
	"runtime"
	"sync/atomic"
)

// ushers are the goroutines that serve handshakes where they may have to wait, one for each
// that is under way. A few stay when they are done, since a new one spends as
// much on growing its stack as on the handshake.
type ushers struct {
	jobs    chan func() // unbuffered: one that is idle takes it
	staying atomic.Int32
}

func newUshers() ushers { return ushers{jobs: make(chan func())} }

// usher has job done where it may wait.
func (rt *Router) usher(job func()) {
	select {
	case rt.ushers.jobs <- job:
	default:
		rt.wg.Go(func() { rt.runUsher(job) })
	}
}

func (rt *Router) runUsher(job func()) {
	job()
	u := &rt.ushers
	defer u.staying.Add(-1)
	if int(u.staying.Add(1)) > 2*runtime.GOMAXPROCS(0) {
		return
	}
	for {
		select {
		case job := <-u.jobs:
			job()
		case <-rt.halt:
			return
		}
	}
}
