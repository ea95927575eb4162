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
func (c *Counts) Enter(a Addr) bool { return c.EnterOf(a, 0, 0) }

// EnterOf is Enter where all addresses have no more than so many things between them, 0 for no such limit, and have taken so
// many. Once half of them are taken an address may have ever fewer, in proportion to what is left, down to one: so a few
// addresses cannot have all, and there is something left for who is new (A. Choudhury, E. Hahne, "Dynamic Queue Length
// Thresholds for Shared-Memory Packet Switches", 1998).
func (c *Counts) EnterOf(a Addr, all, taken int) bool {
	if a == Exempt || c.most <= 0 {
		return true
	}
	most := c.most
	if all > 0 && taken > all/2 {
		most = max(1, int(2*int64(most)*int64(all-taken)/int64(all)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n[a]
	if int(n) >= most {
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
