package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func newLog(t testing.TB, half int64) (*Log, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	l, err := Create(f, 77, half, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return l, path
}

// commit appends a batch of one record with this sequence.
func commit(l *Log, seq uint64, size int, checkpointed uint64) error {
	b := AppendRecord(l.Begin(), 1, func(b []byte) []byte { return append(b, body(seq, size)...) })
	_, err := l.Commit(b, seq, seq, checkpointed)
	return err
}

func body(seq uint64, size int) []byte {
	return append(fmt.Appendf(nil, "%d:", seq), bytes.Repeat([]byte{byte(seq)}, size)...)
}

// held returns the sequences that a log holds, each with the body that it was committed with.
func held(t testing.TB, b []byte, thorough bool, size int) ([]uint64, *Contents) {
	t.Helper()
	var seqs []uint64
	c, err := Read(bytes.NewReader(b), int64(len(b)), thorough, func(b Batch) error {
		return b.Each(func(kind byte, got []byte) error {
			if kind != 1 || !bytes.Equal(got, body(b.First, size)) || b.First != b.Last {
				t.Errorf("batch %d to %d: kind %d, %.20q", b.First, b.Last, kind, got)
			}
			seqs = append(seqs, b.First)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return seqs, c
}

// TestTurns commits more than both halves hold: nothing that is still needed is overwritten, and
// reading at any time finds all that is needed, in order.
func TestTurns(t *testing.T) {
	for _, size := range []int{10, 3000, 5000, 20_000} {
		l, path := newLog(t, MinHalf)
		checkpointed, turns := uint64(0), 0
		for seq := uint64(1); seq <= 400; seq++ {
			err := commit(l, seq, size, checkpointed)
			if errors.Is(err, ErrFull) {
				turns++
				checkpointed = seq - 1 - uint64(rand.IntN(2)) // all, or all but the last
				if err = commit(l, seq, size, checkpointed); errors.Is(err, ErrFull) {
					checkpointed = seq - 1
					err = commit(l, seq, size, checkpointed)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if seq%7 > 0 {
				continue
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			seqs, c := held(t, b, true, size)
			if c.Missing > 0 {
				t.Errorf("%d batches are missing of a log that is whole", c.Missing)
			}
			next := seqs[0]
			for _, got := range seqs {
				if got != next {
					t.Fatalf("%d follows %d", got, next-1)
				}
				next++
			}
			if next != seq+1 || seqs[0] > checkpointed+1 {
				t.Fatalf("%d to %d are held; %d to %d are needed", seqs[0], next-1, checkpointed+1, seq)
			}
			if seq%21 == 0 { // and goes on after a restart
				gen, number := l.Position()
				l = c.Log(l.File())
				if g, n := l.Position(); g != gen || n != number {
					t.Fatalf("read at %d/%d, written at %d/%d", g, n, gen, number)
				}
			}
		}
		if turns < 3 {
			t.Errorf("%d turns: this tests nothing", turns)
		}
	}
}

// TestCut cuts the last batch off at each byte, and tears it, as a power cut does: what was flushed before it is
// there, and the log goes on in its place.
func TestCut(t *testing.T) {
	l, path := newLog(t, MinHalf)
	const size = 6000
	for seq := uint64(1); seq <= 3; seq++ {
		if err := commit(l, seq, size, 0); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start := Block + 2*2*Block
	for n := start; n < start+batchHeader+recordSize+size; n += 97 {
		torn := bytes.Clone(whole)
		clear(torn[n:])
		seqs, c := held(t, torn, true, size)
		if len(seqs) != 2 || c.Missing > 0 {
			t.Fatalf("cut at %d: %d are held, missing %d", n, seqs, c.Missing)
		}
		if seqs, _ := held(t, whole[:n], true, size); len(seqs) != 2 {
			t.Fatalf("a file of %d bytes: %d are held", n, seqs)
		}
	}
	torn := bytes.Clone(whole)
	clear(torn[start : start+512]) // the first sector did not get there, and the rest did
	seqs, c := held(t, torn, true, size)
	if len(seqs) != 2 || c.Missing > 0 {
		t.Errorf("%d are held, missing %d", seqs, c.Missing)
	}
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := commit(c.Log(f), 9, size, 0); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if seqs, _ := held(t, b, true, size); fmt.Sprint(seqs) != "[1 2 9]" {
		t.Errorf("%d are held", seqs)
	}
}

// TestDamage spoils each block of a log: at most one batch is lost, and that is noticed unless it
// is the last.
func TestDamage(t *testing.T) {
	l, path := newLog(t, MinHalf)
	const size, batches = 5000, 14 // both halves, 8 and 6
	for seq := uint64(1); seq <= batches; seq++ {
		if err := commit(l, seq, size, 0); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := Block; at < Block*(1+2*batches); at += Block {
		b := bytes.Clone(whole)
		b[at+100] ^= 1
		seqs, c := held(t, b, true, size)
		lost := (at/Block - 1) / 2
		// The first of all may be one that was not needed any more.
		if want := map[bool]int{true: 0, false: 1}[lost == 0 || lost == batches-1]; len(seqs) != batches-1 || c.Missing != want {
			t.Errorf("block %d: %d of %d are held, %d missing", at/Block, len(seqs), batches, c.Missing)
		}
	}
}

func TestHeader(t *testing.T) {
	l, path := newLog(t, MinHalf)
	if err := commit(l, 1, 10, 0); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range headerSize {
		b := bytes.Clone(whole)
		b[i] ^= 4
		if _, err := Read(bytes.NewReader(b), int64(len(b)), false, nil); !errors.Is(err, ErrFormat) {
			t.Errorf("byte %d of the header changed: %v", i, err)
		}
	}
	for _, n := range []int{0, 10, headerSize - 1} {
		if _, err := Read(bytes.NewReader(whole[:n]), int64(n), false, nil); !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	// What another log left on the same blocks is none of this one.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Create(f, 78, MinHalf, 0, 0); err != nil {
		t.Fatal(err)
	}
	copied, _ := os.ReadFile(path)
	copy(copied[Block:], whole[Block:2*Block])
	if c, err := Read(bytes.NewReader(copied), int64(len(copied)), true, nil); err != nil || c.Batches > 0 || c.ID != 78 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestNewer(t *testing.T) {
	l, path := newLog(t, MinHalf)
	_ = l
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[16]++
	seal(b)
	if _, err := Read(bytes.NewReader(b), int64(len(b)), false, nil); !errors.Is(err, ErrNewer) {
		t.Errorf("a log of a later version: %v", err)
	}
}

// FuzzRead reads anything: no panic, and whatever is handed over has the checksum of a batch.
func FuzzRead(f *testing.F) {
	l, path := newLog(f, MinHalf)
	for seq := uint64(1); seq <= 20; seq++ {
		if err := commit(l, seq, 100, 0); err != nil {
			f.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, []byte{1}, true)
	f.Add(Block+4, []byte{0xff, 0xff, 0xff, 0xff}, false)
	f.Fuzz(func(t *testing.T, at int, change []byte, thorough bool) {
		b := bytes.Clone(whole)
		if at >= 0 && at < len(b) {
			copy(b[at:], change)
		}
		c, err := Read(bytes.NewReader(b), int64(len(b)), thorough, func(b Batch) error {
			return b.Each(func(_ byte, got []byte) error {
				if !bytes.Equal(got, body(b.First, 100)) {
					t.Errorf("batch %d: %.20q", b.First, got)
				}
				return nil
			})
		})
		if err == nil && c.Batches > 20 {
			t.Errorf("%d batches", c.Batches)
		}
	})
}
