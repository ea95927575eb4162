package hostile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Sealed is connections over TLS that misbehave without pause. Who is closed, or has done what it does, comes back.
type Sealed struct {
	Addr        string
	Connections int    // of each kind
	Of          string // a kind of SealedKinds; "" is all of them

	quit  atomic.Bool
	wg    sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]bool
	did   map[string]*atomic.Int64
}

// SealedDid is how often each kind has come, by kind.
type SealedDid map[string]int64

// SealedKinds are what a client can do over TLS without an end: the floods of frames, and what is TLS's own.
var SealedKinds = append([]string{"records", "handshakes", "resets", "half hello", "silence", "garbage", "half-close", "never reads", "plain HTTP"}, Floods...)

func (s *Sealed) begin() error {
	s.conns, s.did = map[net.Conn]bool{}, map[string]*atomic.Int64{}
	kinds := SealedKinds
	if s.Of != "" {
		kinds = []string{s.Of}
	}
	for _, kind := range kinds {
		s.did[kind] = new(atomic.Int64)
		for range s.Connections {
			s.wg.Go(func() {
				for !s.quit.Load() {
					s.once(kind)
					s.did[kind].Add(1)
				}
			})
		}
	}
	return nil
}

// dial returns a connection that end closes.
func (s *Sealed) dial() (net.Conn, error) {
	c, err := net.DialTimeout("tcp", s.Addr, patience)
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = true
	if s.quit.Load() {
		_ = c.Close()
	}
	return c, nil
}

func (s *Sealed) hangUp(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// join enters a room over TLS.
func (s *Sealed) join(raw net.Conn) (*tls.Conn, error) {
	c := tls.Client(raw, anyCertificate())
	if _, err := io.WriteString(c, Handshake("flood", "username=mallory")); err != nil {
		return nil, err
	}
	_, err := io.ReadFull(c, make([]byte, len(letIn)))
	return c, err
}

// anyCertificate trusts whoever is there: it is what it costs that is measured.
func anyCertificate() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// once does what kind does, until the server has had enough of it, or it is done.
func (s *Sealed) once(kind string) {
	raw, err := s.dial()
	if err != nil {
		return
	}
	defer s.hangUp(raw)
	switch kind {
	case "handshakes":
		_ = tls.Client(raw, anyCertificate()).Handshake()
	case "resets": // in the middle of a handshake
		_, _ = raw.Write(hello())
		_ = raw.(*net.TCPConn).SetLinger(0)
	case "half hello":
		_, _ = raw.Write(hello()[:100])
		s.wait(raw)
	case "silence":
		s.wait(raw)
	case "garbage":
		_, _ = raw.Write([]byte("\x16\x03\x01\x40\x00garbage, and a record that is far longer"))
		_, _ = raw.Write(make([]byte, 16<<10))
		s.wait(raw)
	case "plain HTTP":
		_, _ = io.WriteString(raw, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		s.wait(raw)
	case "half-close":
		if c, err := s.join(raw); err == nil {
			_ = c.CloseWrite()
			s.wait(raw)
		}
	default:
		s.flood(raw, kind)
	}
}

// wait reads until the server hangs up, or for a second: then it comes back.
func (s *Sealed) wait(raw net.Conn) {
	_ = raw.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, raw)
}

// flood sends frames without pause, and reads what comes back.
func (s *Sealed) flood(raw net.Conn, kind string) {
	c, err := s.join(raw)
	if err != nil {
		return
	}
	of, most := kind, 64<<10
	switch kind {
	case "records":
		of, most = "pongs", 1 // bytes a record
	case "never reads":
		of = "pings"
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	if kind != "never reads" {
		reading.Go(func() { _, _ = io.Copy(io.Discard, c); _ = raw.Close() })
	}
	defer raw.Close()
	for b := flood(of); ; {
		for rest := b; len(rest) > 0; rest = rest[min(most, len(rest)):] {
			if _, err := c.Write(rest[:min(most, len(rest))]); err != nil {
				return
			}
		}
	}
}

// hello is a ClientHello.
func hello() []byte {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go func() { _ = tls.Client(near, anyCertificate()).Handshake() }() // ends with the pipe
	b := make([]byte, 4<<10)
	n, _ := far.Read(b)
	return b[:n]
}

func (s *Sealed) end() (any, error) {
	s.quit.Store(true)
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	did := SealedDid{}
	for kind, n := range s.did {
		if did[kind] = n.Load(); did[kind] == 0 {
			return nil, errors.New("nothing was done: " + fmt.Sprint(kind))
		}
	}
	return did, nil
}
