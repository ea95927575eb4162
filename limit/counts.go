package limit

import "sync"

// Counts hold how many things each address has at once. The zero value is no limit; it may be used from any
// goroutine. It is as large as the number of addresses that have something.
type Counts struct {
	most int
	mu   sync.Mutex
	n    map[Addr]int32
}

// NewCounts returns Counts of at most so many things for each address.
func NewCounts(most int) *Counts { return &Counts{most: most, n: make(map[Addr]int32)} }

// Enter counts one more thing of a, and reports true; or reports false, if a has as many as it may.
// Each true has a Leave of its own.
func (c *Counts) Enter(a Addr) bool {
	if a == Exempt || c.most <= 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n[a]
	if int(n) >= c.most {
		return false
	}
	c.n[a] = n + 1
	return true
}

// Leave says that a has one thing less.
func (c *Counts) Leave(a Addr) {
	if a == Exempt || c.most <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.n[a]; n > 1 {
		c.n[a] = n - 1
	} else {
		delete(c.n, a)
	}
}

// Len returns how many addresses have something.
func (c *Counts) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.n)
}
