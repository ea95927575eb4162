package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"testing"
)

// twoHalves is a log whose first half is newer than its second: sequences 3 to 5 and 2, of which nothing is erased.
func twoHalves(t *testing.T) (file []byte, l *Log) {
	t.Helper()
	l, path := newLog(t, MinHalf)
	big := int(MinHalf) / 2
	for i, size := range []int{big, big, big, 10, 10} {
		if err := commit(l, uint64(i)+1, size, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, l
}

func firsts(b []byte, thorough bool) (seqs []uint64, err error) {
	_, err = Read(bytes.NewReader(b), int64(len(b)), thorough, func(b Batch) error { seqs = append(seqs, b.First); return nil })
	return seqs, err
}

// What the halves hold comes in the order in which it was committed, whichever of them is newer.
func TestReadOrder(t *testing.T) {
	b, _ := twoHalves(t)
	for _, thorough := range []bool{false, true} {
		if seqs, err := firsts(b, thorough); err != nil || fmt.Sprint(seqs) != "[2 3 4 5]" {
			t.Errorf("thorough %t: %v, %v", thorough, seqs, err)
		}
	}
	c, err := Read(bytes.NewReader(b), int64(len(b)), false, nil)
	if err != nil || c.Batches != 4 || c.Missing != 0 {
		t.Errorf("without a visitor: %+v, %v", c, err)
	}
}

// What one half still holds that is needed is known after a start as it was before it.
func TestReadKnowsWhatIsNeeded(t *testing.T) {
	b, l := twoHalves(t)
	c, err := Read(bytes.NewReader(b), int64(len(b)), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	again := c.Log(l.f)
	for _, l := range []*Log{l, again} {
		if l.last != [2]uint64{5, 2} {
			t.Errorf("the halves hold up to %v, want 5 and 2", l.last)
		}
	}
	if err := commit(again, 6, int(MinHalf)/2, 1); !errors.Is(err, ErrFull) {
		t.Errorf("sequence 2 is overwritten, and is needed: %v", err)
	}
	if err := commit(again, 6, int(MinHalf)/2, 2); err != nil {
		t.Errorf("sequence 2 is not needed: %v", err)
	}
}

// A batch of another generation, or with a number that was there before, is what was overwritten in part.
func TestReadStopsAtOld(t *testing.T) {
	b, _ := twoHalves(t)
	half := b[Block : Block+MinHalf]
	third := batchHeader + int64(binary.LittleEndian.Uint32(half[4:])) // the bytes of sequence 3
	at := half[(third+Block-1)/Block*Block:]
	seal := func() { // of the header and the body, as Commit does
		n := binary.LittleEndian.Uint32(at[4:])
		sum := crc32.Update(crc32.Checksum(at[:56], castagnoli), castagnoli, at[batchHeader:batchHeader+n])
		binary.LittleEndian.PutUint32(at[56:], sum)
	}
	was := bytes.Clone(b)
	for name, c := range map[string]struct {
		change func()
		want   string
	}{
		"as it was":          {func() {}, "[2 3 4 5]"},
		"another generation": {func() { binary.LittleEndian.PutUint64(at[16:], 1) }, "[2 3]"},
		"an older number":    {func() { binary.LittleEndian.PutUint64(at[24:], 3) }, "[2 3]"},
		"another log's":      {func() { binary.LittleEndian.PutUint64(at[8:], 78) }, "[2 3]"},
		"no batch":           {func() { at[0]++ }, "[2 3]"},
		"longer than a half": {func() { binary.LittleEndian.PutUint32(at[4:], MinHalf) }, "[2 3]"},
	} {
		copy(b, was)
		c.change()
		if name != "longer than a half" {
			seal()
		}
		if seqs, err := firsts(b, false); err != nil || fmt.Sprint(seqs) != c.want {
			t.Errorf("%s: %v, %v; want %s", name, seqs, err, c.want)
		}
	}
}

// flaky fails the read number fail, from 0.
type flaky struct {
	io.ReaderAt
	fail, n int
}

var errFlaky = errors.New("the card is gone")

func (f *flaky) ReadAt(b []byte, at int64) (int, error) {
	f.n++
	if f.n-1 == f.fail {
		return 0, errFlaky
	}
	return f.ReaderAt.ReadAt(b, at)
}

// A read that fails is no end of the log: it is told, whichever it is.
func TestReadFails(t *testing.T) {
	b, _ := twoHalves(t)
	for _, thorough := range []bool{false, true} {
		for fail := 0; ; fail++ {
			f := &flaky{bytes.NewReader(b), fail, 0}
			_, err := Read(f, int64(len(b)), thorough, nil)
			if f.n <= fail { // that many reads there are not
				if err != nil || fail < 8 {
					t.Errorf("%d reads, %v", f.n, err)
				}
				break
			}
			if !errors.Is(err, errFlaky) || errors.Is(err, ErrFormat) {
				t.Errorf("read %d fails: %v", fail, err)
			}
		}
	}
}

// A header that no log has is refused, though its checksum holds; one of a file without anything else is not.
func TestReadHeader(t *testing.T) {
	b, _ := twoHalves(t)
	was := bytes.Clone(b)
	for _, c := range []struct {
		half int64
		ok   bool
	}{{MinHalf, true}, {MinHalf - Block, false}, {MinHalf + 1, false}, {MinHalf + Block, true}, {1 << 40, true}, {1<<40 + Block, false}, {-Block, false}} {
		copy(b, was)
		binary.LittleEndian.PutUint64(b[20:], uint64(c.half))
		binary.LittleEndian.PutUint32(b[36:], crc32.Checksum(b[:36], castagnoli))
		if _, err := firsts(b[:Block], false); c.ok && err != nil || !c.ok && !errors.Is(err, ErrFormat) {
			t.Errorf("halves of %d bytes: %v", c.half, err)
		}
	}
	copy(b, was)
	b[0]++
	binary.LittleEndian.PutUint32(b[36:], crc32.Checksum(b[:36], castagnoli))
	if _, err := firsts(b, false); !errors.Is(err, ErrFormat) {
		t.Errorf("another magic number: %v", err)
	}
	for n := range headerSize + 1 {
		if seqs, err := firsts(was[:n], false); len(seqs) > 0 || (err == nil) != (n == headerSize) || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("a file of %d bytes: %v, %v", n, seqs, err)
		}
	}
}
