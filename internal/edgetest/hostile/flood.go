package hostile

import (
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Flood is connections that send the same frames without pause, and read what they get as fast as it comes. Who
// is closed comes back.
type Flood struct {
	Addr        string
	Connections int
	Of          string // a kind of Floods

	quit    atomic.Bool
	wg      sync.WaitGroup
	conns   []*flooder
	written atomic.Int64
	read    atomic.Int64
	closed  atomic.Int64
}

// Flooded is the result of a Flood.
type Flooded struct {
	Written, Read int64 // bytes
	Closed        int64 // connections that the server closed
}

// Floods are the kinds of frames that a client can send without an end.
var Floods = []string{"typing", "pings", "pongs", "invalid", "fragments"}

// flood returns frames of a kind, some 64 KiB of them.
func flood(of string) []byte {
	const typing = `{"type":"typing"}`
	var one []byte
	switch of {
	case "typing":
		one = Frame(nil, 0x81, typing)
	case "pings":
		one = Frame(nil, 0x89, "")
	case "pongs":
		one = Frame(nil, 0x8a, "")
	case "invalid":
		one = Frame(nil, 0x81, "?")
	case "fragments": // of one byte
		for i, char := range strings.Split(typing, "") {
			var first byte
			if i == 0 {
				first = 0x01 // text
			}
			if i == len(typing)-1 {
				first |= 0x80 // the last
			}
			one = Frame(one, first, char)
		}
	default:
		panic("hostile: no flood of " + of)
	}
	var b []byte
	for len(b) < 64<<10 {
		b = append(b, one...)
	}
	return b
}

type flooder struct {
	mu sync.Mutex
	c  *Conn
}

func (f *flooder) connect(addr string) (err error) {
	c, err := Join(addr, "flood", "username=mallory")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.c = c
	return err
}

func (f *Flood) begin() error {
	b := flood(f.Of)
	for range f.Connections {
		one := new(flooder)
		if err := one.connect(f.Addr); err != nil {
			return err
		}
		f.conns = append(f.conns, one)
		f.wg.Go(func() { f.run(one, b) })
	}
	return nil
}

func (f *Flood) run(one *flooder, b []byte) {
	for !f.quit.Load() {
		var reading sync.WaitGroup
		reading.Go(func() {
			n, _ := io.Copy(io.Discard, one.c.Conn)
			f.read.Add(n)
		})
		for {
			n, err := one.c.Write(b)
			f.written.Add(int64(n))
			if err != nil {
				break
			}
		}
		_ = one.c.Close()
		reading.Wait()
		if f.quit.Load() {
			return
		}
		f.closed.Add(1)
		for one.connect(f.Addr) != nil {
			if f.quit.Load() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	_ = one.c.Close()
}

func (f *Flood) end() (any, error) {
	f.quit.Store(true)
	for _, one := range f.conns {
		one.mu.Lock()
		if one.c != nil {
			_ = one.c.Close()
		}
		one.mu.Unlock()
	}
	f.wg.Wait()
	r := Flooded{f.written.Load(), f.read.Load(), f.closed.Load()}
	if r.Written == 0 {
		return nil, errors.New("nothing was written")
	}
	return r, nil
}
