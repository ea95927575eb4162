package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

var cards = flag.Duration("cards", time.Minute, "how long TestCards talks, on all of its cards together")

// TestCards has 50 people talk while one card after the other fails, is full, hangs, is late, vanishes and is replaced: they hear each
// other as before, /healthz answers, memory is bounded, SIGTERM ends the server, and what was acknowledged
// as durable is there at the next start. make cards does it for ten minutes.
func TestCards(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	if edgetest.Race {
		t.Skip("how long a message takes says nothing under the race detector")
	}
	if why := faultydisk.Missing(); why != "" {
		t.Skip(why)
	}
	foreground(t) // and so it is not parallel to others
	ills := []ill{
		{"writes fail", set(faultydisk.Write, faultydisk.Fault{Err: syscall.EIO}), (*slot).mend, false},
		{"flushes fail", set(faultydisk.Flush, faultydisk.Fault{Err: syscall.EIO}), (*slot).mend, false},
		{"nothing can be read", set(faultydisk.Read, faultydisk.Fault{Err: syscall.EIO}), (*slot).mend, false},
		{"full", (*slot).fill, (*slot).empty, true},
		{"hangs", func(s *slot) { s.card.SetAll(faultydisk.Fault{Hang: true}) }, (*slot).mend, true},
		{"late", func(s *slot) {
			s.card.Set(faultydisk.Flush, faultydisk.Fault{Delay: 200 * time.Millisecond, Upto: 600 * time.Millisecond})
			s.card.Set(faultydisk.Write, faultydisk.Fault{Delay: 20 * time.Millisecond, Upto: 50 * time.Millisecond})
			s.card.Set(faultydisk.Read, faultydisk.Fault{Delay: 50 * time.Millisecond, Upto: 200 * time.Millisecond})
		}, (*slot).mend, true},
		{"vanishes", func(s *slot) { s.card.SetAll(faultydisk.Fault{Err: syscall.EIO}) }, (*slot).mend, false},
		{"is replaced", (*slot).replace, func(*slot) {}, true},
	}
	s := &slot{t: t, dir: faultydisk.Folder(t), ledger: newLedger(t, 200)}
	s.insert()
	// Another server on a good disk says what this machine is up to at the same time: processors of a guest stand still.
	control := startBoard(t, t.TempDir(), "GOMAXPROCS=2")
	controls := newParty(t, control, newLedger(t, 200), "c", 10)
	t.Cleanup(controls.end)
	for round, ill := range ills {
		// Where they do chat suffers whatever the card does: not three times.
		for attempt := 1; ; attempt++ {
			suffers := s.endure(ill, fmt.Sprint(round, ".", attempt, "."), *cards/time.Duration(len(ills)), controls)
			if t.Failed() {
				t.Logf("%s: log:\n%s", ill.name, s.board.log)
				return
			}
			if !suffers {
				break
			}
			if attempt == 3 {
				t.Fatalf("%s: live chat suffers", ill.name)
			}
		}
	}
	controls.end()
	control.stop()
	b := startBoard(t, filepath.Join(s.dir, "data"), "EDGECHAT_REPLAY_LIMIT=10000")
	s.ledger.check(b.addr, "in the end")
	b.stop()
	given, acked := s.ledger.count()
	t.Logf("%d messages, %d of them acknowledged as durable on the last card", given, acked)
}

// An ill is what befalls a card.
type ill struct {
	name     string
	befall   func(s *slot)
	relieve  func(s *slot)
	recovers bool // while the server runs
}

// endure has people talk for so long while their card has this ill for half of the time, and says whether they suffered more
// than those on a good card.
func (s *slot) endure(ill ill, name string, life time.Duration, controls *party) (suffers bool) {
	t := s.t
	t.Helper()
	s.board = startBoard(t, filepath.Join(s.dir, "data"), "GOMAXPROCS=2", "EDGECHAT_REPLAY_LIMIT=10000")
	s.ledger.check(s.board.addr, "before the card "+ill.name)
	p := newParty(t, s.board, s.ledger, name, 50)
	p.talkers.Go(func() { p.look(s.card) })
	time.Sleep(life / 4)
	memory := s.board.resident()

	ill.befall(s)
	p.forget()
	controls.forget()
	time.Sleep(life / 2)
	ailing, healthy := p.slowest(), controls.slowest()
	s.board.lives(ill.name)
	if grown := s.board.resident() - memory; grown > 64<<10 {
		t.Errorf("%s: %d KiB more in memory", ill.name, grown)
	}
	p.end()
	ill.relieve(s)
	if ill.recovers {
		s.awaitDurable(ill.name)
	}
	s.board.stopsWithin(20 * time.Second) // 1 s to drain, and what a late card takes
	if !s.replaced {
		_ = syscall.Unmount(s.dir, syscall.MNT_DETACH)
		s.card.Remount()
		s.bind()
	}
	s.replaced = false
	t.Logf("%-20s of %5d deliveries 99 %% took less than %v; of %d on a good card at that time %v", ill.name, ailing.n, ailing.p99, healthy.n, healthy.p99)
	return ailing.n < 3*healthy.n || ailing.p99 > 50*time.Millisecond+2*healthy.p99
}

func set(op faultydisk.Op, f faultydisk.Fault) func(*slot) {
	return func(s *slot) { s.card.Set(op, f) }
}

// A slot is where the card of a board is put in.
type slot struct {
	t        *testing.T
	dir      string // what is in it is seen here
	card     *faultydisk.Card
	replaced bool
	ledger   *ledger
	board    *board
}

func (s *slot) insert() {
	s.t.Helper()
	s.card = faultydisk.New(s.t, 96<<20)
	s.bind()
	s.t.Cleanup(func() { _ = syscall.Unmount(s.dir, syscall.MNT_DETACH) })
}

func (s *slot) bind() {
	s.t.Helper()
	_ = syscall.Unmount(s.dir, syscall.MNT_DETACH)
	if err := syscall.Mount(s.card.Dir, s.dir, "", syscall.MS_BIND, ""); err != nil {
		s.t.Fatal(err)
	}
}

func (s *slot) mend() { s.card.Mend() }

// replace pulls the card and puts another in: what was promised on the first is gone with it.
func (s *slot) replace() {
	s.t.Helper()
	s.ledger.forgive()
	s.card.SetAll(faultydisk.Fault{Err: syscall.EIO})
	_ = syscall.Unmount(s.dir, syscall.MNT_DETACH)
	time.Sleep(200 * time.Millisecond)
	s.insert()
	s.ledger.forgive()
	s.replaced = true
}

func (s *slot) fill() {
	s.t.Helper()
	f, err := os.Create(filepath.Join(s.dir, "filler"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for p := make([]byte, 1<<20); len(p) > 0; {
		if _, err := f.Write(p); err != nil {
			p = p[:len(p)/2]
		}
	}
}

func (s *slot) empty() {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.dir, "filler")); err != nil {
		s.t.Fatal(err)
	}
}

// awaitDurable waits until messages are durable again.
func (s *slot) awaitDurable(after string) {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if status, m := s.board.post("again", time.Now().String()); status == 201 {
			s.ledger.acked("again", m.ID, m.Content)
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("after the card %s: messages are not durable a minute later\n%s", after, s.board.log)
		}
	}
}

// forgive forgets what was acknowledged, since the card is gone on which it was. Ids stay given.
func (l *ledger) forgive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, room := range l.rooms {
		for _, g := range room {
			g.acked = false
		}
	}
}
