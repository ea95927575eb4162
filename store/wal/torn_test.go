package wal

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestTornTurn cuts the power while a half is used again: sectors of the batch that begins it are there or not, over batches
// of before, which are checkpointed. Nothing of that is taken for damage, and what was flushed is there.
func TestTornTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := Create(f, 7, MinHalf, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	commit := func(size int) (turned bool) {
		seq++
		b := AppendRecord(l.Begin(), 1, func(b []byte) []byte {
			return append(binary.LittleEndian.AppendUint64(b, seq), bytes.Repeat([]byte{byte(seq)}, size)...)
		})
		turned, err := l.Commit(b, seq, seq, seq-1)
		if err != nil {
			t.Fatal(err)
		}
		return turned
	}
	for turns := 0; turns < 2; {
		if commit(100) {
			turns++
		}
	}
	for !commit(100) { // up to the last block of this half
		if l.Used() == MinHalf {
			break
		}
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flushed := seq
	if !commit(3 * Block) {
		t.Fatal("no half was begun")
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const sector = 512
	needless := 0
	for range 20_000 {
		torn := bytes.Clone(before)
		kept := rand.Float64()
		for at := 0; at < len(torn); at += sector {
			if rand.Float64() < kept {
				copy(torn[at:at+sector], after[at:])
			}
		}
		last, missing := uint64(0), 0
		c, err := Read(bytes.NewReader(torn), int64(len(torn)), true, func(b Batch) error {
			if last = b.Last; b.First > flushed {
				missing += b.Missing
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		needless = max(needless, c.Missing)
		if missing > 0 || last < flushed {
			t.Fatalf("%d batches are called damaged, the last is %d, and %d were flushed", missing, last, flushed)
		}
	}
	if needless == 0 {
		t.Error("no batch of before was torn between others")
	}
}
