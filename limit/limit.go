// Package limit says how much one client may do: rates by connection and by address, things
// that it may have at once, and which address a client behind a proxy has.
//
// All of it has a bound that no client can move: what is kept by address is a table of fixed
// size, or as large as what there is of connections. Nothing here allocates once it
// is in use, or waits for anything but a short lock. Time is monotonic.
//
// The one rule for callers: a zero Rate, and a most of 0, is no limit.
package limit

import (
	"fmt"
	"math"
	"time"
)

// A Rate is N in each Per, and Burst of them at once after a time in which nothing was taken. The
// zero value is no limit.
type Rate struct {
	N     int
	Per   time.Duration // 0 is a second
	Burst int           // at least 1; 0 is N
}

// IsZero reports whether r is no limit.
func (r Rate) IsZero() bool { return r.N <= 0 }

// String returns "10/s with a burst of 30".
func (r Rate) String() string {
	per := "s"
	switch r.Per {
	case 0, time.Second:
	case time.Minute:
		per = "min"
	case time.Hour:
		per = "h"
	default:
		per = r.Per.String()
	}
	return fmt.Sprintf("%d/%s with a burst of %d", r.N, per, r.Most())
}

// cost is how long r takes to give n.
func (r Rate) cost(n int) time.Duration {
	per := r.Per
	if per == 0 {
		per = time.Second
	}
	if n > 0 && per > math.MaxInt64/time.Duration(n) {
		return math.MaxInt64 / 4
	}
	return per * time.Duration(n) / time.Duration(r.N)
}

// Most returns how much can be taken at once.
func (r Rate) Most() int {
	if r.Burst <= 0 {
		return r.N
	}
	return r.Burst
}

// A Clock tells the time to Buckets.
type Clock struct{ began time.Time }

// NewClock returns a Clock.
func NewClock() Clock { return Clock{time.Now()} }

// Now returns the time since the clock was made.
func (c Clock) Now() time.Duration { return time.Since(c.began) }

// A Bucket is what is left of a Rate to one client. The zero value is a whole Burst. It may not be used from
// several goroutines at once.
//
// It is a point in time: when the bucket will be full again, if nothing more is taken (the generic cell
// rate algorithm of ITU-T I.371, "virtual scheduling").
type Bucket struct{ full time.Duration }

// Take takes n from b at a time of a Clock, and returns 0; or takes nothing, and returns how long it will be until
// n can be taken. What is more than a burst counts as a burst.
func (b *Bucket) Take(r Rate, n int, now time.Duration) (wait time.Duration) {
	if r.IsZero() {
		return 0
	}
	if wait = b.Wait(r, n, now); wait == 0 {
		b.full = max(b.full, now) + r.cost(min(n, r.Most()))
	}
	return wait
}

// Wait is Take that takes nothing.
func (b *Bucket) Wait(r Rate, n int, now time.Duration) time.Duration {
	if r.IsZero() {
		return 0
	}
	burst := r.Most()
	return max(0, max(b.full, now)+r.cost(min(n, burst))-now-r.cost(burst))
}
