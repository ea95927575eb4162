package metrics

import (
	"sync/atomic"
	"time"
)

// bounds are the upper ends of a histogram's buckets; above the last there is one more. A
// delivery on a quiet board takes a tenth of a millisecond, a commit on a bad card seconds.
var bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// A Histogram counts durations by how long they are. The zero value is empty. Observe
// and Read may be called from any goroutine; neither takes a lock, and Observe
// allocates nothing.
type Histogram struct {
	counts [len(bounds) + 1]atomic.Uint64
	nanos  atomic.Int64
}

// Observe counts d.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.nanos.Add(int64(d))
}

// Read returns what was counted so far.
func (h *Histogram) Read() Durations {
	var d Durations
	for i := range h.counts {
		d.counts[i] = h.counts[i].Load()
	}
	d.sum = time.Duration(h.nanos.Load())
	return d
}

// Durations is what a Histogram had counted at one moment.
type Durations struct {
	counts [len(bounds) + 1]uint64
	sum    time.Duration
}

// Since returns what was counted after before, an earlier Read of the same Histogram.
func (d Durations) Since(before Durations) Durations {
	for i := range d.counts {
		d.counts[i] -= before.counts[i]
	}
	d.sum -= before.sum
	return d
}

// Count returns how many there are.
func (d Durations) Count() (n uint64) {
	for _, c := range d.counts {
		n += c
	}
	return n
}

// Sum returns what they are together.
func (d Durations) Sum() time.Duration { return d.sum }

// Quantile returns a duration that the part q of them, between 0 and 1, is not longer than: the upper end
// of the bucket where that is, so it is never too short. Of none it is 0, and beyond
// the last bound it is the mean of all, if that is longer.
func (d Durations) Quantile(q float64) time.Duration {
	n := d.Count()
	if n == 0 {
		return 0
	}
	want, seen := q*float64(n), uint64(0)
	for i, c := range d.counts[:len(bounds)] {
		if seen += c; c > 0 && float64(seen) >= want {
			return bounds[i]
		}
	}
	return max(bounds[len(bounds)-1], d.sum/time.Duration(n))
}
