package hub

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestFrameLogModel compares a log with plain lists under random appends and
// readers that take random amounts.
func TestFrameLogModel(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		l := &frameLog{limit: 1 + rnd.IntN(8<<10)}
		var all []byte
		ends := map[uint64]uint64{0: 0} // position behind a frame: last offset
		offset, pos := uint64(0), uint64(0)
		for range 500 {
			switch rnd.IntN(4) {
			case 0, 1:
				frame := []byte(strings.Repeat(fmt.Sprint(rnd.IntN(10)), 1+rnd.IntN(1<<rnd.IntN(12))))
				o := uint64(0)
				if rnd.IntN(3) > 0 {
					offset += 1 + uint64(rnd.IntN(2))
					o = offset
				}
				l.append(o, func(dst []byte) []byte { return append(dst, frame...) })
				all = append(all, frame...)
				ends[uint64(len(all))] = offset
			case 2: // a reader takes some whole frames, or finds that it fell out
				if pos < l.base() {
					pos = l.top
					continue
				}
				c := l.at(pos)
				if (c == nil) != (pos == l.top) {
					t.Fatalf("seed %d: chunk %v at %d of %d", seed, c, pos, l.top)
				}
				if c == nil {
					continue
				}
				p := c.buf[pos-c.start:]
				if string(p) != string(all[pos:pos+uint64(len(p))]) {
					t.Fatalf("seed %d: other bytes at %d", seed, pos)
				}
				n := uint64(rnd.IntN(len(p) + 1))
				for ; n < uint64(len(p)); n++ {
					if _, ok := ends[pos+n]; ok {
						break
					}
				}
				pos += n
				if got, want := c.offsetAt(pos), ends[pos]; got != want {
					t.Fatalf("seed %d: offset %d at %d, want %d", seed, got, pos, want)
				}
			case 3:
				if pos == l.top {
					l.taken()
				}
			}
			if l.top != uint64(len(all)) || l.last != offset || len(l.chunks) > 1 && l.size > l.limit {
				t.Fatalf("seed %d: top %d last %d size %d of %d", seed, l.top, l.last, l.size, l.limit)
			}
		}
	}
}
