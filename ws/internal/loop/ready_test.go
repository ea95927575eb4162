//go:build linux

package loop

import (
	"slices"
	"sync"
	"testing"
)

// TestReadyOnce: a source is on the list once, however often and from however many goroutines it is put there
// and whatever epoll reports besides.
func TestReadyOnce(t *testing.T) {
	l := running(t, Config{})
	served := 0
	p := watch(t, l, func(Events) bool { served++; return false })
	on(t, l, func() { // nothing is served meanwhile
		var others sync.WaitGroup
		for range 8 {
			others.Go(func() {
				for range 1000 {
					p.Ready(p)
				}
			})
		}
		p.say(t)
		others.Wait()
	})
	turns(t, l, 3)
	on(t, l, func() {
		if served != 1 {
			t.Errorf("served %d times", served)
		}
	})
}

// TestReadyWithin: what comes while a source is served is not lost, and has it served once more; what it has
// said that it sees to does not.
func TestReadyWithin(t *testing.T) {
	for name, want := range map[string]int{"again": 2, "settled": 1} {
		t.Run(name, func(t *testing.T) {
			l := running(t, Config{})
			served := 0
			var p *probe
			p = watch(t, l, func(Events) bool {
				if served++; served == 1 {
					for range 100 {
						p.Ready(p)
					}
					if name == "settled" {
						p.Settled()
					}
				}
				return false
			})
			on(t, l, func() { p.Ready(p) })
			turns(t, l, 3)
			on(t, l, func() {
				if served != want {
					t.Errorf("served %d times, want %d", served, want)
				}
			})
		})
	}
}

// TestFair: sources that always have more are served in turns, and one that has little comes between
// them at once. Each time that one was put off is counted.
func TestFair(t *testing.T) {
	l := running(t, Config{})
	const rounds = 100
	var r record
	left := map[string]int{"a": rounds, "b": rounds, "c": rounds}
	done := make(chan struct{}, 3)
	greedy := func(name string) func(Events) bool {
		return func(Events) bool {
			r.add(name)
			if left[name]--; left[name] == 0 {
				done <- struct{}{}
			}
			return left[name] > 0
		}
	}
	a, b, c := watch(t, l, greedy("a")), watch(t, l, greedy("b")), watch(t, l, greedy("c"))
	quiet := watch(t, l, func(Events) bool { r.add("quiet"); return false })
	before := l.Stats().PutOff
	on(t, l, func() {
		a.say(t)
		b.Ready(b)
		c.say(t)
		quiet.say(t)
	})
	for range 3 {
		await(t, done)
	}
	turns(t, l, 1)
	order := r.get()
	if at := slices.Index(order, "quiet"); at < 0 || at > 3 {
		t.Errorf("the quiet one was served as number %d", at)
	}
	order = slices.DeleteFunc(order, func(s string) bool { return s == "quiet" })
	for i := 0; i+3 <= len(order); i += 3 {
		if round := slices.Sorted(slices.Values(order[i : i+3])); !slices.Equal(round, []string{"a", "b", "c"}) {
			t.Fatalf("turn %d was %v", i/3, round)
		}
	}
	if len(order) != 3*rounds {
		t.Errorf("served %d times", len(order))
	}
	if n := l.Stats().PutOff - before; n != 3*(rounds-1) {
		t.Errorf("%d counted as put off, want %d", n, 3*(rounds-1))
	}
}

// TestLater: what is put off to the end of a turn runs behind its sources, once a turn while it has more,
// and sources are served between.
func TestLater(t *testing.T) {
	l := running(t, Config{})
	var r record
	const slicesWanted = 5
	done := make(chan struct{})
	n := 0
	p := watch(t, l, func(Events) bool {
		r.add("source")
		return n < slicesWanted
	})
	before := l.Stats().Slices
	on(t, l, func() {
		l.Later(func() bool {
			r.add("slice")
			if n++; n == slicesWanted {
				close(done)
			}
			return n < slicesWanted
		})
		p.Ready(p)
	})
	await(t, done)
	turns(t, l, 2)
	order := r.get()
	for i, s := range order[:2*slicesWanted-2] {
		if want := []string{"slice", "source"}[i%2]; s != want && order[0] == "slice" {
			t.Fatalf("%v", order)
		}
	}
	if slices.Equal(order[:2], []string{"slice", "slice"}) {
		t.Errorf("no source came between: %v", order)
	}
	if c := l.Stats().Slices - before; c != slicesWanted-1 {
		t.Errorf("%d slices counted, want %d", c, slicesWanted-1)
	}
}
