package store

// A deque is a queue in a ring that grows by doubling and is freed when it is
// empty.
type deque[T any] struct {
	ring []T // a power of two, or nil
	head int
	n    int
}

func (d *deque[T]) len() int { return d.n }

// at returns the i-th from the front.
func (d *deque[T]) at(i int) *T {
	if i < 0 || i >= d.n {
		panic("store: deque: index out of range")
	}
	return &d.ring[(d.head+i)&(len(d.ring)-1)]
}

func (d *deque[T]) push(v T) {
	if d.n == len(d.ring) {
		ring := make([]T, max(4, 2*d.n))
		for i := range d.n {
			ring[i] = *d.at(i)
		}
		d.ring, d.head = ring, 0
	}
	d.n++
	*d.at(d.n - 1) = v
}

func (d *deque[T]) pop() T {
	p := d.at(0)
	v := *p
	var zero T
	*p = zero
	d.head = (d.head + 1) & (len(d.ring) - 1)
	d.n--
	if d.n == 0 {
		d.ring, d.head = nil, 0
	}
	return v
}
