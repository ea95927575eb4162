package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram counts times in nanoseconds, in buckets that are 1/32 of their value
// wide: a percentile is at most 3.2 % too high. The zero value is ready; add may be called from
// any goroutine.
type histogram struct {
	counts [buckets]atomic.Int64
	most   atomic.Int64
}

const (
	perOctave = 32
	octaves   = 43 // up to 2^47 ns, 39 hours
	buckets   = octaves * perOctave
)

func bucketOf(ns int64) int {
	v := uint64(max(ns, 0))
	if v < perOctave {
		return int(v)
	}
	shift := bits.Len64(v) - 6 // v>>shift is 32 to 63
	return min((shift+1)*perOctave+int(v>>shift)-perOctave, buckets-1)
}

// bucketTop is the greatest value of a bucket.
func bucketTop(i int) int64 {
	if i < perOctave {
		return int64(i)
	}
	shift := i/perOctave - 1
	return int64(i%perOctave+perOctave+1)<<shift - 1
}

func (h *histogram) add(ns int64) {
	h.counts[bucketOf(ns)].Add(1)
	for {
		most := h.most.Load()
		if ns <= most || h.most.CompareAndSwap(most, ns) {
			return
		}
	}
}

// A tally is the sum of histograms, at rest.
type tally struct {
	counts [buckets]int64
	total  int64
	most   int64
}

func (t *tally) add(h *histogram) {
	for i := range h.counts {
		n := h.counts[i].Load()
		t.counts[i] += n
		t.total += n
	}
	t.most = max(t.most, h.most.Load())
}

// percentile returns a time that this share of all, in percent, did not exceed; 0 if there is nothing.
func (t *tally) percentile(p float64) time.Duration {
	want := int64(p / 100 * float64(t.total))
	if float64(want) < p/100*float64(t.total) {
		want++
	}
	seen := int64(0)
	for i, n := range t.counts {
		if seen += n; n > 0 && seen >= want {
			return time.Duration(min(bucketTop(i), t.most))
		}
	}
	return 0
}

// octave returns the counts by powers of two, from the first to the last that is
// not empty.
func (t *tally) octave() (rows []Bucket) {
	last := 0
	for i := 0; i < buckets; {
		top := bucketTop(i) + 1
		end := int64(1) << bits.Len64(uint64(top-1)) // the next power of two
		row := Bucket{From: time.Duration(end / 2), To: time.Duration(end)}
		for ; i < buckets && bucketTop(i) < end; i++ {
			row.Count += t.counts[i]
		}
		if row.Count > 0 || len(rows) > 0 {
			rows = append(rows, row)
		}
		if row.Count > 0 {
			last = len(rows)
		}
	}
	return rows[:last]
}
