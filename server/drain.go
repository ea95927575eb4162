package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// requestDrain bounds the wait for plain requests that run when the server
	// stops: they take milliseconds, and the supervisor's patience is not endless.
	requestDrain = 5 * time.Second
	// freshDrain is how long a connection may take to send the request that it was
	// opened for. A browser opens some that it never uses.
	freshDrain = 500 * time.Millisecond
	drainPoll  = 2 * time.Millisecond
)

// requests are the connections of net/http that have a request, or are about to.
//
// http.Server.Shutdown knows them too, but drops a request without an answer that it reads
// after its beginning. Who connected in the moment of a restart would get an
// end of file for an answer.
type requests struct {
	mu    sync.Mutex
	conns map[net.Conn]http.ConnState // StateNew or StateActive
	open  int                         // these, and those that are kept for a next request
}

// track is the http.Server's ConnState.
func (r *requests) track(c net.Conn, state http.ConnState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch state {
	case http.StateNew:
		r.open++
	case http.StateClosed, http.StateHijacked:
		r.open--
	}
	switch state {
	case http.StateNew, http.StateActive:
		if r.conns == nil {
			r.conns = make(map[net.Conn]http.ConnState)
		}
		r.conns[c] = state
	default: // idle, closed, or a WebSocket
		delete(r.conns, c)
	}
}

// peers adds who they are from to n.
func (r *requests) peers(n map[netip.Addr]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			n[tcp.AddrPort().Addr().Unmap()]++
		}
	}
}

// held returns how many connections net/http has.
func (r *requests) held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

func (r *requests) count() (fresh, active int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, state := range r.conns {
		if state == http.StateNew {
			fresh++
		}
	}
	return fresh, len(r.conns) - fresh
}

// drain waits until every request has its answer, or ctx ends. Nobody may be
// accepted any more.
func (r *requests) drain(ctx context.Context) error {
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	for began := time.Now(); ; {
		fresh, active := r.count()
		if active == 0 && (fresh == 0 || time.Since(began) > freshDrain) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
