package ws

import (
	"net/netip"
	"slices"
	"sync"
)

const (
	// patience is how many ticks a newcomer may be silent before net/http, which
	// has deadlines for that, gets it.
	patience = 2
	// farewell is how many ticks somebody who was refused has to hang up: cut before, he
	// might lose the answer.
	farewell = 1
)

// A lobby holds who is on a loop and no connection of the router's: newcomers
// that have said nothing yet, and those that were refused and have not hung up. Whoever
// claims one from it, the loop or the sweeper, has it for himself.
type lobby struct {
	mu    sync.Mutex
	there map[waiter]uint32 // since which tick
	doors []*door           // that are open
}

// A waiter is somebody in a lobby.
type waiter interface {
	patience() uint32 // ticks
	expire()          // called when they are over, on the sweeper, by whom it was claimed
}

// enter has w wait from now on, once watch has succeeded: nobody claims it before.
func (b *lobby) enter(w waiter, now uint32, watch func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := watch(); err != nil {
		return err
	}
	if b.there == nil {
		b.there = make(map[waiter]uint32)
	}
	b.there[w] = now
	return nil
}

// claim takes w, and reports whether nobody else has.
func (b *lobby) claim(w waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.there[w]
	delete(b.there, w)
	if n, is := w.(*newcomer); ok && is {
		n.door.claimed.Add(1)
	}
	return ok
}

// len returns how many are in it.
func (b *lobby) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.there)
}

// peers adds who newcomers are from to n.
func (b *lobby) peers(n map[netip.Addr]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.there {
		if one, ok := w.(*newcomer); ok {
			n[one.peer.Addr().Unmap()]++
		}
	}
}

// check sends away who has waited for too long. The sweeper calls it.
func (b *lobby) check(now uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w, since := range b.there {
		if now-since > w.patience() {
			delete(b.there, w)
			w.expire()
		}
	}
	for _, d := range b.doors {
		d.source.Retry()
	}
}

func (b *lobby) open(d *door) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doors = append(b.doors, d)
}

// shut is called when nothing more comes through d, and hands on who has.
func (b *lobby) shut(d *door) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doors = slices.DeleteFunc(b.doors, func(other *door) bool { return other == d })
	for w := range b.there {
		if n, ok := w.(*newcomer); ok && n.door == d {
			delete(b.there, w)
			w.expire()
		}
	}
}

// of returns the doors from which r accepts.
func (b *lobby) of(r *reactor) []*door {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.doors), func(d *door) bool { return d.r != r })
}
