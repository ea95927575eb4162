package faultydisk

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// An Op is a kind of operation of the device.
type Op int

// What a device does.
const (
	Read Op = iota
	Write
	Flush // of what it has written and holds in a cache of its own
)

// A Fault is what befalls operations. With a zero value they succeed at once.
type Fault struct {
	// Err is what they fail with, such as syscall.EIO.
	Err syscall.Errno
	// Hang has them wait until another fault is set or the card is mended.
	Hang bool
	// Delay is how long they take, before anything else; with Upto, a random time between the two.
	Delay, Upto time.Duration
	// Next is to how many it happens, after which they succeed. 0 is all.
	Next int
	// From and To are the bytes of the device that an operation must touch for it to happen: from From on,
	// before To. Both 0: any. A flush touches all.
	From, To int64
}

// faults are those of one device.
type faults struct {
	mu      sync.Mutex
	changed *sync.Cond
	now     [Flush + 1]Fault
	left    [Flush + 1]int // of Fault.Next
	set     int            // how often faults were set
	hanging int
}

func newFaults() *faults {
	f := new(faults)
	f.changed = sync.NewCond(&f.mu)
	return f
}

func (f *faults) put(op Op, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now[op], f.left[op] = fault, fault.Next
	f.set++
	f.changed.Broadcast()
}

// befall waits and fails as the fault of op says, for an operation on these bytes.
func (f *faults) befall(op Op, from, to int64) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	delayed := false
	for {
		fault := f.now[op]
		if fault.To > 0 && op != Flush && (from >= fault.To || to <= fault.From) {
			return 0
		}
		if fault.Next > 0 {
			if f.left[op] == 0 {
				return 0
			}
			f.left[op]--
		}
		if d := fault.delay(); d > 0 && !delayed {
			delayed = true
			set := f.set
			f.mu.Unlock()
			time.Sleep(d)
			f.mu.Lock()
			if f.set != set {
				continue // what holds now
			}
		}
		if !fault.Hang {
			return fault.Err
		}
		f.hanging++
		for set := f.set; f.set == set; {
			f.changed.Wait()
		}
		f.hanging--
	}
}

func (f Fault) delay() time.Duration {
	if f.Upto <= f.Delay {
		return f.Delay
	}
	return f.Delay + rand.N(f.Upto-f.Delay)
}
