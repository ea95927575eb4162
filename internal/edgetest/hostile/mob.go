package hostile

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Mob is Each hostile clients from each of many addresses. Each is of one of Mobs, and whoever is refused or closed comes
// back a second later, more or less: so much is the bound of what they cost.
type Mob struct {
	Addr string
	From []string // addresses of this machine
	Each int

	quit    chan struct{}
	wg      sync.WaitGroup
	members []*mobster
}

// Mobbed is the result of a Mob, by kind.
type Mobbed map[string]*Deeds

// Deeds are how often members of a kind were let in, refused, and ended, and what they wrote and read.
type Deeds struct {
	Members, Let, Refused, Ended int
	Written, Read                int64
}

func (m Mobbed) String() string {
	var lines []string
	for kind, d := range m {
		lines = append(lines, fmt.Sprintf("%-16s %4d: %6d let in, %6d refused, %6d ended, %5.1f MB written, %6.1f MB read",
			kind, d.Members, d.Let, d.Refused, d.Ended, float64(d.Written)/1e6, float64(d.Read)/1e6))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// A mobster is one of them.
type mobster struct {
	mob  *Mob
	kind string
	from string
	n    int // of all
	Deeds

	mu   sync.Mutex
	conn net.Conn // to end it by
	over bool
}

func (m *Mob) begin() error {
	debug.SetGCPercent(100) // they come and go
	m.quit = make(chan struct{})
	kinds := make([]string, 0, len(mobs))
	for kind := range mobs {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for i := range m.Each { // all addresses have all kinds, the most of them
		for a, from := range m.From {
			one := &mobster{mob: m, kind: kinds[(i+a)%len(kinds)], from: from, n: len(m.members)}
			m.members = append(m.members, one)
			m.wg.Go(one.run)
		}
	}
	return nil
}

// run does what its kind does, again and again.
func (o *mobster) run() {
	if !o.pause(time.Duration(rand.Int64N(int64(2 * time.Second)))) {
		return
	}
	for {
		o.act()
		if !o.pause(time.Second/2 + time.Duration(rand.Int64N(int64(time.Second)))) {
			return
		}
	}
}

// pause reports false if it is over.
func (o *mobster) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-o.mob.quit:
		return false
	case <-timer.C:
		return true
	}
}

// act is one connection, from its beginning to its end.
func (o *mobster) act() {
	act := mobs[o.kind]
	c, err := dialFrom(o.from, o.mob.Addr)
	if err != nil {
		o.Refused++
		return
	}
	defer c.Close()
	if !o.has(c) {
		return
	}
	if act.deaf {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4096)
		}
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	hello := act.hello(o)
	if _, err := io.WriteString(c, hello); err != nil {
		o.Refused++
		return
	}
	if act.answer != "" { // to be let in
		b := make([]byte, len(act.answer))
		n, err := io.ReadFull(c, b)
		if o.Read += int64(n); err != nil || string(b) != act.answer {
			o.Refused++
			return
		}
	}
	o.Let++
	var reading sync.WaitGroup
	defer reading.Wait()
	defer c.Close()
	if !act.deaf {
		reading.Go(func() {
			n, _ := io.Copy(io.Discard, c)
			o.Read += n
			_ = c.Close() // whoever writes is to hear of it
		})
	}
	for i := 0; ; i++ {
		if more := act.more(o, i); more != nil {
			n, err := c.Write(more)
			if o.Written += int64(n); err != nil {
				o.Ended++
				return
			}
		}
		if !o.pause(act.every) {
			return
		}
	}
}

// has says that o has this connection, or reports that it is over.
func (o *mobster) has(c net.Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conn = c
	return !o.over
}

func (m *Mob) end() (any, error) {
	close(m.quit)
	for _, one := range m.members {
		one.mu.Lock()
		if one.over = true; one.conn != nil {
			_ = one.conn.Close()
		}
		one.mu.Unlock()
	}
	m.wg.Wait()
	did := Mobbed{}
	for _, one := range m.members {
		if did[one.kind] == nil {
			did[one.kind] = new(Deeds)
		}
		d := did[one.kind]
		d.Members, d.Let, d.Refused, d.Ended = d.Members+1, d.Let+one.Let, d.Refused+one.Refused, d.Ended+one.Ended
		d.Written, d.Read = d.Written+one.Written, d.Read+one.Read
	}
	for kind, d := range did {
		if d.Let+d.Refused == 0 {
			return nil, errors.New(kind + " did nothing")
		}
	}
	return did, nil
}
