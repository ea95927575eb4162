package limit

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// tableSets and tableWays are how many addresses a Table knows at once: 4,096. It takes 4 KiB, and 128 bytes for each
	// set that an address was in: 68 KiB at most.
	tableSets = 512
	tableWays = 8
)

// A Table holds a Bucket for each address that has taken something lately. It may be used from any
// goroutine.
//
// It is built like a processor's cache: an address has a place in one set, and where all of these are taken it gets that of
// the address which will be forgiven first. So who comes from very many addresses gains what those are
// worth anyway, and takes no memory.
type Table struct {
	rate  Rate
	clock Clock
	salt  uint64 // so that nobody can choose addresses of one set

	mu   sync.Mutex
	sets []*set // each once an address is in it; nil for no limit
}

type set [tableWays]place

type place struct {
	addr   Addr
	bucket Bucket
}

// NewTable returns a Table of rate for each address.
func NewTable(rate Rate) *Table {
	t := &Table{rate: rate, clock: NewClock(), salt: rand.Uint64()}
	if !rate.IsZero() {
		t.sets = make([]*set, tableSets)
	}
	return t
}

// Take takes n of what a has, as Bucket.Take.
func (t *Table) Take(a Addr, n int) (wait time.Duration) {
	if a == Exempt || t.sets == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	s := t.setLocked(a)
	if *s == nil {
		*s = new(set)
	}
	p := (*s).place(a)
	if p.addr != a {
		*p = place{addr: a}
	}
	return p.bucket.Take(t.rate, n, now)
}

// Wait is Take that takes nothing.
func (t *Table) Wait(a Addr, n int) time.Duration {
	if a == Exempt || t.sets == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := *t.setLocked(a)
	if s == nil {
		return 0
	}
	if p := s.place(a); p.addr == a {
		return p.bucket.Wait(t.rate, n, t.clock.Now())
	}
	return 0
}

// setLocked returns where the set of a is, or will be.
func (t *Table) setLocked(a Addr) **set { return &t.sets[mix(uint64(a)^t.salt)%tableSets] }

// place returns the place of a, or the one that a may have.
func (s *set) place(a Addr) *place {
	first := &s[0]
	for i := range s {
		p := &s[i]
		if p.addr == a {
			return p
		}
		if p.bucket.full < first.bucket.full {
			first = p
		}
	}
	return first
}

// mix is the end of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
