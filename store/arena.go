package store

// maxArena is the largest buffer that an arena keeps, in bytes.
const maxArena = 256 << 10

// An arena is a buffer that what one read needs is cut from, one piece after the other, and that the
// next read takes over. The zero value is empty and grows with what it is asked for.
type arena struct {
	buf  []byte
	used int // of buf
	more int // bytes that did not fit
}

// take returns n bytes, of any content. They are the caller's until reset.
func (a *arena) take(n int) []byte {
	if n > len(a.buf)-a.used {
		a.more += n
		return make([]byte, n)
	}
	b := a.buf[a.used : a.used+n : a.used+n]
	a.used += n
	return b
}

// reset takes back all that was taken, and makes room for as much the next time.
func (a *arena) reset() {
	if n := min(a.used+a.more, maxArena); n > len(a.buf) {
		a.buf = make([]byte, n)
	}
	a.used, a.more = 0, 0
}
