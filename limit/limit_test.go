package limit

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// TestBucket: a burst at once, then the rate, and a wait that is exact.
func TestBucket(t *testing.T) {
	for _, rate := range []Rate{
		{N: 10, Burst: 30}, {N: 3, Burst: 7}, {N: 10, Per: time.Minute, Burst: 30}, {N: 1, Per: time.Minute, Burst: 30}, {N: 7},
	} {
		synctest.Test(t, func(t *testing.T) {
			clock, b := NewClock(), new(Bucket)
			take := func() time.Duration { return b.Take(rate, 1, clock.Now()) }
			for i := range rate.Most() {
				if wait := take(); wait != 0 {
					t.Fatalf("%+v: %d of the burst: wait for %v", rate, i+1, wait)
				}
			}
			for i := range 20 {
				wait := take()
				if wait <= 0 || wait > rate.cost(1) {
					t.Fatalf("%+v: behind the burst: wait for %v", rate, wait)
				}
				if time.Sleep(wait - 1); take() == 0 {
					t.Fatalf("%+v: too early, and taken", rate)
				}
				if time.Sleep(1 * time.Nanosecond); take() != 0 {
					t.Fatalf("%+v: %d was told to wait for %v, and has to wait again", rate, i, wait)
				}
			}
			time.Sleep(rate.cost(2*rate.Most()) + time.Second)
			n := 0
			for take() == 0 {
				n++
			}
			if n != rate.Most() {
				t.Errorf("%+v: %d at once after a long time", rate, n)
			}
		})
	}
}

func TestBucketOfMany(t *testing.T) {
	rate := Rate{N: 1000, Burst: 4000}
	var b Bucket
	if wait := b.Take(rate, 3000, 0); wait != 0 {
		t.Errorf("wait for %v", wait)
	}
	if wait := b.Take(rate, 3000, 0); wait != 2*time.Second {
		t.Errorf("wait for %v, want 2s", wait)
	}
	if wait := b.Wait(rate, 1000, 0); wait != 0 {
		t.Errorf("what was refused was taken: wait for %v", wait)
	}
	if wait := b.Take(rate, 1<<30, time.Second); wait != 2*time.Second {
		t.Errorf("more than a burst is a burst: wait for %v", wait)
	}
	if wait := b.Take(rate, math.MaxInt32, 3*time.Second); wait != 0 {
		t.Errorf("more than a burst never comes: wait for %v", wait)
	}
	for range 1000 {
		if wait := b.Take(Rate{}, math.MaxInt32, 0); wait != 0 {
			t.Fatal("no limit is one")
		}
	}
}

func TestAllocs(t *testing.T) {
	table, counts, rate := NewTable(Rate{N: 1}), NewCounts(2), Rate{N: 1}
	var b Bucket
	next := Addr(1)
	if n := testing.AllocsPerRun(100_000, func() {
		next += 3
		table.Take(next, 1)
		b.Take(rate, 1, 0)
		if counts.Enter(next) {
			counts.Leave(next)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTable(b *testing.B) {
	table, next := NewTable(Rate{N: 1}), Addr(1)
	b.ReportAllocs()
	for b.Loop() {
		next++
		table.Take(next, 1)
	}
}
