package load

// A tracker checks what one client gets: of each publisher of its room every
// number, once and in order, and the offsets of the room in order.
type tracker struct {
	next   []uint32 // the number that comes next, by publisher
	gaps   []gap
	offset uint64 // the greatest so far
}

// A gap is a row of numbers that were passed over.
type gap struct {
	pub      int
	from, to uint32 // to is not part of it
}

// A verdict says how a message fits what came before it.
type verdict struct {
	fresh     bool  // it was not seen before
	reordered bool  // one that came after it was seen before
	missing   int64 // how many more numbers are missing than before
}

// see notes a message. pub is within next.
func (t *tracker) see(pub int, seq uint32, offset uint64) (v verdict) {
	switch want := t.next[pub]; {
	case seq >= want:
		if seq > want {
			t.gaps = append(t.gaps, gap{pub, want, seq})
			v.missing = int64(seq - want)
		}
		t.next[pub] = seq + 1
		v.fresh = true
		// Two publishers' messages may change places without either's numbers showing it.
		v.reordered = offset <= t.offset
	case t.fill(pub, seq):
		v = verdict{fresh: true, reordered: true, missing: -1}
	}
	t.offset = max(t.offset, offset)
	return v
}

// fill takes a number out of its gap; false if it was not missing.
func (t *tracker) fill(pub int, seq uint32) bool {
	for i, g := range t.gaps {
		if g.pub != pub || seq < g.from || seq >= g.to {
			continue
		}
		switch {
		case g.to-g.from == 1:
			t.gaps[i] = t.gaps[len(t.gaps)-1]
			t.gaps = t.gaps[:len(t.gaps)-1]
		case seq == g.from:
			t.gaps[i].from++
		case seq == g.to-1:
			t.gaps[i].to--
		default:
			t.gaps[i].to = seq
			t.gaps = append(t.gaps, gap{pub, seq + 1, g.to})
		}
		return true
	}
	return false
}

// lost returns how many of a publisher's first sent messages have not come.
func (t *tracker) lost(pub int, sent int64) int64 {
	n := max(sent-int64(t.next[pub]), 0)
	for _, g := range t.gaps {
		if g.pub == pub {
			n += int64(g.to - g.from)
		}
	}
	return n
}
