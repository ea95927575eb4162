//go:build linux

package loop

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// TestPostAtStop: what was posted before Stop has run when Run returns, in its order; what comes behind
// it is refused, and so is what is to be watched then.
func TestPostAtStop(t *testing.T) {
	l, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	held, until := make(chan struct{}), make(chan struct{})
	l.Post(func() { close(held); <-until })
	wg.Go(l.Run)
	await(t, held)
	var ran []int
	for n := range 100 {
		if !l.Post(func() { ran = append(ran, n) }) {
			t.Fatal("refused before the end")
		}
	}
	if !l.Post(func() {
		if l.Post(func() { t.Error("was refused, and ran") }) {
			t.Error("taken behind Stop")
		}
	}) {
		t.Fatal("refused before the end")
	}
	l.Stop()
	if l.Post(func() { t.Error("was refused, and ran") }) {
		t.Error("taken behind Stop")
	}
	close(until)
	wg.Wait()
	for n := range 100 {
		if n >= len(ran) || ran[n] != n {
			t.Fatalf("ran: %v", ran)
		}
	}
	if l.Post(func() {}) {
		t.Error("taken by a loop that has ended")
	}
	fd, _ := pair(t)
	if err := l.Watch(fd, &probe{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("watched by a loop that has ended: %v", err)
	}
}

// TestPostRacesStop: whoever was told that a function will run can rely on it.
func TestPostRacesStop(t *testing.T) {
	for range 200 {
		l, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(l.Run)
		taken, ran := 0, 0
		var posting sync.WaitGroup
		posting.Go(func() {
			for l.Post(func() { ran++ }) {
				taken++
			}
		})
		l.Stop()
		posting.Wait()
		wg.Wait()
		if ran != taken {
			t.Fatalf("%d of %d ran", ran, taken)
		}
	}
}

// TestSourcePanics: a source that panics is a fault of the program: it goes on to the caller of Run, and
// the loop has ended then for all others too.
func TestSourcePanics(t *testing.T) {
	l, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	fd, _ := pair(t)
	p := &probe{serve: func(Events) bool { panic("told to") }}
	if err := l.Watch(fd, p); err != nil {
		t.Fatal(err)
	}
	ended := make(chan any)
	go func() {
		defer func() { ended <- recover() }()
		l.Run()
	}()
	if v := await(t, ended); v != "told to" {
		t.Errorf("Run ended with %v", v)
	}
	if l.Post(func() {}) {
		t.Error("a loop that has panicked takes what is posted")
	}
	if err := l.Watch(fd, p); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a loop that has panicked watches: %v", err)
	}
}

// TestSlowTurn: a turn that takes long is told, with how many sources it had; one that does not is not.
func TestSlowTurn(t *testing.T) {
	type slow struct {
		took    time.Duration
		sources int
	}
	told := make(chan slow, 100)
	l := running(t, Config{Slow: func(took time.Duration, n int) { told <- slow{took, n} }})
	p := watch(t, l, func(Events) bool { time.Sleep(slowTurn + 10*time.Millisecond); return false })
	for len(told) > 0 { // the machine may be busy
		<-told
	}
	on(t, l, func() { p.Ready(p) })
	for {
		s := await(t, told)
		if s.took < slowTurn {
			t.Errorf("told of %v", s.took)
		}
		if s.sources == 1 {
			break
		}
	}
}
