package wal

import (
	"bytes"
	"os"
	"runtime"
	"testing"
)

// A step of erasing that fails is told and done again: nothing is taken for erased that is not. The halves take several steps.
func TestEraseFails(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("others may flush " + os.DevNull)
	}
	l, path := newLog(t, 4*eraseStep)
	const batches = 2 * 4 * eraseStep / 8192 // more than one half has room for
	for seq := uint64(1); seq <= batches; seq++ {
		if err := commit(l, seq, 5000, seq-1); err != nil {
			t.Fatal(err)
		}
	}
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	unflushed, err := os.OpenFile(os.DevNull, os.O_RDWR, 0) // has nothing to read, takes what is written, and cannot be flushed
	if err != nil {
		t.Fatal(err)
	}
	defer unflushed.Close()

	l.Forget()
	good, next, steps := l.f, uint64(batches+1), 0
	for state := Erasing; state != Erased; steps++ {
		if steps > 100 {
			t.Fatal("no end")
		}
		for _, bad := range []*os.File{readOnly, unflushed} {
			before, erased, stale, last := contents(t, path), l.erased, l.stale, l.last
			l.f = bad
			state, err := l.Erase(next)
			l.f = good
			if state == InUse || state == Erased { // there was nothing to write
				break
			}
			if err == nil && l.erased != erased && !allZero(before[Block+int64(1-l.active)*l.half:][erased[1-l.active]:l.erased[1-l.active]]) {
				t.Fatalf("step %d: no error, and it counts as erased", steps)
			}
			if err != nil && (state != Erasing || l.erased != erased || l.stale != stale || l.last != last || !bytes.Equal(before, contents(t, path))) {
				t.Fatalf("step %d failed with %v: %v, erased %v before and %v after", steps, err, state, erased, l.erased)
			}
		}
		var err error
		if state, err = l.Erase(next); err != nil {
			t.Fatal(err)
		}
		if state == InUse {
			l.Turn()
			if err := commit(l, next, 5000, next-1); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	if steps < 8 {
		t.Errorf("%d steps for two halves of four each", steps)
	}
	b := contents(t, path)
	for seq := uint64(1); seq <= batches; seq++ {
		if at := bytes.Index(b, body(seq, 5000)[:400]); at >= 0 {
			t.Errorf("batch %d is at byte %d", seq, at)
		}
	}
	if !allZero(b[Block+int64(1-l.active)*l.half+Block:][:l.half-Block]) {
		t.Error("the half that is not in use is not empty behind its mark")
	}
}
