package clustertest

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// A Proxy stands between nodes and a server, on a unix socket. It may lose answers, and lead to another server: what a name or an address that
// moves does at a failover.
type Proxy struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	target string
	conns  map[net.Conn]bool
	armed  string // "" if no answer is lost
	lost   int
}

// NewProxy returns one at a path, which leads to the socket at target until the test ends.
func NewProxy(t testing.TB, path, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// To leads new connections to another server. Those that are stay where they are.
func (p *Proxy) To(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Lose has the next request that holds these bytes passed on, and its connection cut in place of the answer.
func (p *Proxy) Lose(request string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = request
}

// Lost returns how many answers were.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *Proxy) note(c net.Conn, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there {
		p.conns[c] = true
	} else {
		delete(p.conns, c)
	}
}

// isLost says that the answer to a request is lost, and that no other is.
func (p *Proxy) isLost(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed == "" || !bytes.Contains(request, []byte(p.armed)) {
		return false
	}
	p.armed = ""
	p.lost++
	return true
}

func (p *Proxy) serve(down net.Conn) {
	defer down.Close()
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	up, err := net.Dial("unix", target)
	if err != nil {
		return
	}
	defer up.Close()
	p.note(down, true)
	defer p.note(down, false)
	p.note(up, true)
	defer p.note(up, false)
	var wg sync.WaitGroup
	var mu sync.Mutex // of mute: what is read from the server after it is set goes nowhere
	mute := false
	wg.Go(func() { // ends with either connection
		defer up.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := down.Read(buf)
			if err != nil {
				return
			}
			if p.isLost(buf[:n]) {
				mu.Lock()
				mute = true
				mu.Unlock()
			}
			if _, err := up.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := up.Read(buf)
		mu.Lock()
		end := mute || err != nil
		mu.Unlock()
		if end {
			break
		}
		if _, err := down.Write(buf[:n]); err != nil {
			break
		}
	}
	_ = down.Close()
	wg.Wait()
}
