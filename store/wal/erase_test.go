package wal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// eraseAll has a log leave and erase everything, next being the sequence for the batch that leaves a half, and hands the
// file as it was before and after each step to look.
func eraseAll(t *testing.T, l *Log, path string, checkpointed, next uint64, look func(before, after []byte)) (used uint64) {
	t.Helper()
	for range 100 {
		before := contents(t, path)
		state, err := l.Erase(checkpointed)
		if err != nil {
			t.Fatal(err)
		}
		look(before, contents(t, path))
		switch state {
		case Erased:
			return next
		case Blocked:
			t.Fatalf("blocked, with everything up to %d checkpointed", checkpointed)
		case InUse:
			l.Turn()
			if err := commit(l, next, 3000, checkpointed); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	t.Fatal("no end")
	return 0
}

func contents(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// gone looks for the bodies of batches up to a sequence.
func gone(t *testing.T, path string, upTo uint64) {
	t.Helper()
	b := contents(t, path)
	for seq := uint64(1); seq <= upTo; seq++ {
		if at := bytes.Index(b, body(seq, 3000)[:40]); at >= 0 {
			t.Errorf("batch %d is at byte %d", seq, at)
		}
	}
}

// TestErase: after any number of turns nothing is left of what was there, whatever a power cut leaves of a step the log
// holds what it should and nothing seems to be missing, and it goes on.
func TestErase(t *testing.T) {
	for _, batches := range []uint64{1, 5, 16, 17, 20, 32, 33, 40, 50} {
		t.Run(fmt.Sprint(batches), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(batches, 1))
			l, path := newLog(t, MinHalf)
			for seq := uint64(1); seq <= batches; seq++ {
				if err := commit(l, seq, 3000, seq-1); err != nil {
					t.Fatal(err)
				}
			}
			l.Forget()
			next := eraseAll(t, l, path, batches, batches+1, func(before, after []byte) {
				for range 20 { // any blocks of what the step wrote
					cut := bytes.Clone(before)
					for at := 0; at+Block <= len(cut); at += Block {
						if rnd.IntN(2) == 0 {
							copy(cut[at:at+Block], after[at:at+Block])
						}
					}
					for _, thorough := range []bool{false, true} {
						seqs, c := held(t, cut, thorough, 3000)
						seqs = slices.DeleteFunc(seqs, func(seq uint64) bool { return seq <= batches })
						if c.Missing != 0 || c.Batches == 0 || len(seqs) > 1 {
							t.Fatalf("thorough %t: %d batches, %d missing, %v", thorough, c.Batches, c.Missing, seqs)
						}
					}
				}
			})
			gone(t, path, batches)
			if l.Stale() {
				t.Error("something is left to be erased")
			}
			for seq := next; seq < next+40; seq++ {
				if err := commit(l, seq, 3000, seq-1); err != nil {
					t.Fatal(err)
				}
			}
			seqs, c := held(t, contents(t, path), true, 3000)
			if n := len(seqs); n < 16 || seqs[n-1] != next+39 || c.Missing != 0 {
				t.Errorf("in the end it holds %v, %d missing", seqs, c.Missing)
			}
		})
	}
}

// TestEraseGoesOn: a log that was closed in the middle of it says so, and goes on.
func TestEraseGoesOn(t *testing.T) {
	l, path := newLog(t, MinHalf)
	for seq := uint64(1); seq <= 20; seq++ {
		if err := commit(l, seq, 3000, seq-1); err != nil {
			t.Fatal(err)
		}
	}
	l.Forget()
	if err := l.void(0); err != nil { // and then power is cut
		t.Fatal(err)
	}
	seqs, c := held(t, contents(t, path), true, 3000)
	if !slices.Equal(seqs, []uint64{17, 18, 19, 20}) || c.Missing != 0 {
		t.Errorf("it holds %v, %d missing", seqs, c.Missing)
	}
	l = c.Log(l.File())
	if !l.Stale() {
		t.Fatal("nothing is left to be erased")
	}
	if next := eraseAll(t, l, path, 0, 21, func(_, _ []byte) {}); next != 21 {
		t.Errorf("the half in use was left, though nothing is said against it")
	}
	gone(t, path, 16)
	if err := commit(l, 21, 3000, 0); err != nil {
		t.Fatal(err)
	}
}

// TestEraseWaits: a half that is still needed is not touched; and one that was begun anew before its
// turn came loses what is behind the new batches alone.
func TestEraseWaits(t *testing.T) {
	l, path := newLog(t, MinHalf)
	for seq := uint64(1); seq <= 20; seq++ {
		if err := commit(l, seq, 3000, 0); err != nil {
			t.Fatal(err)
		}
	}
	l.Forget()
	before := contents(t, path)
	if state, err := l.Erase(15); state != Blocked || err != nil || !bytes.Equal(before, contents(t, path)) {
		t.Fatalf("%v, %v", state, err)
	}
	for seq := uint64(21); seq <= 34; seq++ { // the second half is full, and the first is begun anew
		if err := commit(l, seq, 3000, 16); err != nil {
			t.Fatal(err)
		}
	}
	if state, err := l.Erase(16); state != Blocked || err != nil {
		t.Fatalf("%v, %v", state, err)
	}
	if next := eraseAll(t, l, path, 34, 35, func(_, _ []byte) {}); next != 35 {
		t.Errorf("the half in use was left, though what it holds is new")
	}
	gone(t, path, 32)
	if seqs, c := held(t, contents(t, path), true, 3000); !slices.Equal(seqs, []uint64{33, 34}) || c.Missing != 0 {
		t.Errorf("it holds %v, %d missing", seqs, c.Missing)
	}
	// A turn that is asked for waits for a checkpoint, as any does.
	l.Turn()
	if err := commit(l, 35, 3000, 34); err != nil {
		t.Fatal(err)
	}
	l.Turn()
	if err := commit(l, 36, 3000, 33); err != ErrFull {
		t.Fatalf("a half that is needed was begun anew: %v", err)
	}
}
