package wal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// reread is a log as the next start finds it.
func reread(t *testing.T, l *Log, thorough bool, size int) ([]uint64, *Contents) {
	t.Helper()
	b, err := os.ReadFile(l.File().Name())
	if err != nil {
		t.Fatal(err)
	}
	return held(t, b, thorough, size)
}

// A batch that could not be written is tried again in the same place, and leaves no gap in the numbers.
func TestCommitAgain(t *testing.T) {
	l, path := newLog(t, MinHalf)
	if err := commit(l, 1, 5000, 0); err != nil {
		t.Fatal(err)
	}
	good := l.f
	bad, err := os.Open(path) // for reading alone
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	gen, number := l.Position()
	used := l.Used()
	for range 3 {
		l.f = bad
		if err := commit(l, 2, 5000, 0); err == nil || errors.Is(err, ErrFull) {
			t.Fatalf("written to a file that takes nothing: %v", err)
		}
		if g, n := l.Position(); g != gen || n != number || l.Used() != used {
			t.Errorf("after a failure at %d/%d, %d used; before at %d/%d, %d", g, n, l.Used(), gen, number, used)
		}
	}
	l.f = good
	for seq := uint64(2); seq <= 3; seq++ {
		if err := commit(l, seq, 5000, 0); err != nil {
			t.Fatal(err)
		}
	}
	if seqs, c := reread(t, l, true, 5000); fmt.Sprint(seqs) != "[1 2 3]" || c.Missing > 0 || c.Batches != 3 {
		t.Errorf("%v are held in %d batches, %d missing", seqs, c.Batches, c.Missing)
	}
}

// A half is filled to its last block, and then the other is used, if it may be.
func TestHalves(t *testing.T) {
	l, _ := newLog(t, MinHalf)
	put := func(seq uint64, size int, checkpointed uint64) (bool, error) {
		b := AppendRecord(l.Begin(), 1, func(b []byte) []byte { return append(b, make([]byte, size)...) })
		return l.Commit(b, seq, seq, checkpointed)
	}
	whole := l.Room() - recordSize
	before := time.Now()
	for i, step := range []struct {
		size         int
		checkpointed uint64
		turned       bool
		used         int64
		err          error
	}{
		{whole + 1, 0, false, 0, ErrFull}, // more than any half has
		{whole, 0, false, MinHalf, nil},   // sequence 1
		{1, 0, true, Block, nil},          // 2: the other one was never used
		{whole - 2*Block, 0, false, MinHalf - Block, nil},
		{1, 0, false, MinHalf, nil}, // 4: the last block
		{1, 0, false, MinHalf, ErrFull},
		{1, 1, true, Block, nil}, // 5
		{whole, 3, false, Block, ErrFull},
		{whole, 4, true, MinHalf, nil},
	} {
		_, number := l.Position()
		turned, err := put(number+1, step.size, step.checkpointed)
		if !errors.Is(err, step.err) || turned != step.turned || l.Used() != step.used {
			t.Fatalf("step %d: turned %t, %d used, %v; want %+v", i, turned, l.Used(), err, step)
		}
	}
	b, err := os.ReadFile(l.File().Name())
	if err != nil {
		t.Fatal(err)
	}
	var seqs []uint64
	c, err := Read(bytes.NewReader(b), int64(len(b)), true, func(b Batch) error { seqs = append(seqs, b.First); return nil })
	if err != nil || fmt.Sprint(seqs) != "[5 6]" || c.Last.Before(before) || c.Last.After(time.Now()) {
		t.Errorf("%v are held, the last of %s, %v", seqs, c.Last, err)
	}
	if len(b) != Block+2*MinHalf {
		t.Errorf("a file of %d bytes", len(b))
	}
}

// A log that takes the place of another goes on with its numbers.
func TestCreateBehind(t *testing.T) {
	l, path := newLog(t, MinHalf)
	l, err := Create(l.f, 78, MinHalf+1, 5, 9)
	if err != nil {
		t.Fatal(err)
	}
	if err := commit(l, 1, 10, 0); err != nil {
		t.Fatal(err)
	}
	if gen, number := l.Position(); gen != 6 || number != 10 || l.Room() != MinHalf+Block-batchHeader {
		t.Errorf("at %d/%d with room for %d", gen, number, l.Room())
	}
	seqs, c := reread(t, l, true, 10)
	again := c.Log(l.f)
	if gen, number := again.Position(); len(seqs) != 1 || gen != 6 || number != 10 || c.Missing > 0 || again.Room() != l.Room() {
		t.Errorf("%s: read at %d/%d, %v held, %d missing", path, gen, number, seqs, c.Missing)
	}
}

// Without a look behind the end, a reader stops at what does not hold; and at what its user refuses.
func TestReadStops(t *testing.T) {
	l, path := newLog(t, MinHalf)
	for seq := uint64(1); seq <= 14; seq++ { // eight, and six in the other half
		if err := commit(l, seq, 5000, 0); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[Block+2*2*Block+100] ^= 1
	if seqs, _ := held(t, b, false, 5000); fmt.Sprint(seqs) != "[1 2 9 10 11 12 13 14]" {
		t.Errorf("%v are held", seqs)
	}
	if seqs, c := held(t, b, true, 5000); len(seqs) != 13 || c.Missing != 1 {
		t.Errorf("%v are held, %d missing", seqs, c.Missing)
	}
	refused, calls := errors.New("refused"), 0
	_, err = Read(bytes.NewReader(b), int64(len(b)), true, func(Batch) error { calls++; return refused })
	if !errors.Is(err, refused) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestEach(t *testing.T) {
	records := AppendRecord(AppendRecord(nil, 1, func(b []byte) []byte { return append(b, "one"...) }), 2, func(b []byte) []byte { return b })
	all := ""
	note := func(kind byte, body []byte) error { all += fmt.Sprintf("%d:%s ", kind, body); return nil }
	if err := (Batch{Records: records}).Each(note); err != nil || all != "1:one 2: " {
		t.Errorf("%q, %v", all, err)
	}
	for n := range len(records) {
		err := Batch{Records: records[:n]}.Each(func(byte, []byte) error { return nil })
		if whole := n == 0 || n == recordSize+len("one"); whole != (err == nil) || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	refused, calls := errors.New("refused"), 0
	if err := (Batch{Records: records}).Each(func(byte, []byte) error { calls++; return refused }); !errors.Is(err, refused) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// A batch that was written and not flushed is no batch: the next one takes its place.
func TestCommitUnflushed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("others may flush " + os.DevNull)
	}
	l, _ := newLog(t, MinHalf)
	if err := commit(l, 1, 5000, 0); err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // takes everything, and cannot be flushed
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	good := l.f
	gen, number := l.Position()
	used := l.Used()
	l.f = null
	if err := commit(l, 2, 5000, 0); err == nil {
		t.Fatal("committed without a flush")
	}
	if g, n := l.Position(); g != gen || n != number || l.Used() != used {
		t.Errorf("after a failure at %d/%d, %d used; before at %d/%d, %d", g, n, l.Used(), gen, number, used)
	}
	l.f = good
	if err := commit(l, 3, 5000, 0); err != nil {
		t.Fatal(err)
	}
	if seqs, c := reread(t, l, true, 5000); fmt.Sprint(seqs) != "[1 3]" || c.Missing > 0 {
		t.Errorf("%v are held, %d missing", seqs, c.Missing)
	}
}
