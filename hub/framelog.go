package hub

import "slices"

// A frameLog is the last encoded frames of a room in one format: a byte
// sequence whose positions count from the room's beginning, in chunks. What a
// chunk holds never changes and no chunk is used again, so that a connection
// may write from one without a lock for as long as it takes.
type frameLog struct {
	chunks []*chunk // oldest first; the last is appended to
	top    uint64   // position behind the last frame
	walked uint64   // top when the members were last seen to
	looked uint64   // top when the gate last looked who is behind
	last   uint64   // offset of the last message that was appended, or that came before
	size   int      // bytes of all chunks
	frame  int      // bytes of the last frame
	limit  int      // bound of size; the newest chunk stays whatever it holds
	more   int      // what size may have beyond that, while the gate is closed
}

// A chunk is a run of whole frames.
type chunk struct {
	start  uint64 // position of buf[0]
	before uint64 // offset of the last message before it
	buf    []byte
	marks  []mark // where messages end, in order
}

// A mark says that what ends at buf[end] is the message before+delta.
type mark struct{ end, delta uint32 }

// Chunks begin small, since most rooms are, and double while there is more to
// say: up to chunkMax where members are behind or one walk fills half a chunk,
// since a write ends where a chunk does; else up to chunkKeep. None but one
// for a single frame is more than a quarter of limit, so that three quarters of
// it are held when a chunk is dropped.
const (
	chunkMin  = 1 << 10
	chunkKeep = 16 << 10
	chunkMax  = 64 << 10
)

// append adds the frame that encode appends to its argument. offset is that of
// a message, 0 for an event.
func (l *frameLog) append(offset uint64, encode func(dst []byte) []byte) {
	if len(l.chunks) == 0 {
		l.grow(min(chunkMin, l.limit/4), 0)
	}
	c := l.chunks[len(l.chunks)-1]
	if cap(c.buf)-len(c.buf) < l.frame && len(c.buf) > 0 {
		c = l.next(c, 0) // the next frame is likely to be as long as the last
	}
	old := c.buf
	buf := encode(old)
	n := len(buf) - len(old)
	if cap(buf) == cap(old) {
		c.buf = buf
	} else { // it did not fit: the frame that was encoded elsewhere begins a chunk
		frame := buf[len(old):]
		c = l.next(c, n)
		c.buf = append(c.buf, frame...)
	}
	l.frame = n
	l.top += uint64(n)
	l.size += n
	if offset != 0 {
		l.last = offset
		c.marks = append(c.marks, mark{uint32(len(c.buf)), uint32(offset - c.before)})
	}
	l.trim()
}

// trim drops what is over the bound.
func (l *frameLog) trim() {
	for l.size > l.limit+l.more && len(l.chunks) > 1 {
		l.drop(1)
	}
}

// next adds a chunk behind c for at least n bytes. A room that fills one needs
// a larger one.
func (l *frameLog) next(c *chunk, n int) *chunk {
	limit := chunkKeep
	if l.size > len(c.buf) || l.top-l.walked > uint64(cap(c.buf)/2) {
		limit = chunkMax
	}
	return l.grow(max(n, min(2*cap(c.buf), limit, l.limit/4)), 2*len(c.marks))
}

func (l *frameLog) grow(size, marks int) *chunk {
	c := &chunk{start: l.top, before: l.last, buf: make([]byte, 0, size), marks: make([]mark, 0, marks)}
	l.chunks = append(l.chunks, c)
	return c
}

// drop forgets the oldest n chunks.
func (l *frameLog) drop(n int) {
	for _, c := range l.chunks[:n] {
		l.size -= len(c.buf)
	}
	l.chunks = slices.Delete(l.chunks, 0, n)
}

// taken forgets what everyone has, all but the chunk that is to be filled up.
// A room that falls silent has that freed too, see cool.go.
func (l *frameLog) taken() { l.drop(max(len(l.chunks)-1, 0)) }

// base returns the oldest position that is still held.
func (l *frameLog) base() uint64 {
	if len(l.chunks) == 0 {
		return l.top
	}
	return l.chunks[0].start
}

// at returns the chunk that holds what comes after position pos, which is not
// before base; nil at the top.
func (l *frameLog) at(pos uint64) *chunk {
	if pos == l.top {
		return nil
	}
	for i := len(l.chunks) - 1; ; i-- { // most are in the last
		if c := l.chunks[i]; pos >= c.start {
			return c
		}
	}
}

// offsetAt returns the offset of the last message that ends at pos, which is
// in the chunk or at its end, or before.
func (c *chunk) offsetAt(pos uint64) uint64 {
	rel := uint32(pos - c.start)
	if n := len(c.marks); n > 0 && rel >= c.marks[n-1].end { // most have everything
		return c.before + uint64(c.marks[n-1].delta)
	}
	i, found := slices.BinarySearchFunc(c.marks, rel, func(m mark, end uint32) int { return int(m.end) - int(end) })
	if !found {
		i--
	}
	if i < 0 {
		return c.before
	}
	return c.before + uint64(c.marks[i].delta)
}
