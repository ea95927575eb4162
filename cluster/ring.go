package cluster

// A ring is the newest entries, in the order of the log without a gap: what an engine that loses its end gets back.
type ring struct {
	limit   int
	bytes   int
	entries []Entry
}

func (r *ring) add(e Entry) {
	if n := len(r.entries); n > 0 && CountOf(r.entries[n-1].Position)+1 != CountOf(e.Position) {
		r.clear()
	}
	r.entries = append(r.entries, e)
	r.bytes += sizeOf(e)
	drop := 0
	for r.bytes > r.limit && drop < len(r.entries)-1 {
		r.bytes -= sizeOf(r.entries[drop])
		drop++
	}
	if drop > 0 {
		clear(r.entries[:drop])
		r.entries = r.entries[drop:]
	}
}

func (r *ring) clear() { r.entries, r.bytes = nil, 0 }

// after returns the entries behind a position.
func (r *ring) after(position uint64) []Entry {
	i := len(r.entries)
	for i > 0 && r.entries[i-1].Position > position {
		i--
	}
	return r.entries[i:]
}

// sizeOf is what an entry takes of memory, about.
func sizeOf(e Entry) int { return len(e.Record) + len(e.Room) + 128 }
