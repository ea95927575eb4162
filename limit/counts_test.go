package limit

import (
	"sync"
	"testing"
)

func TestCounts(t *testing.T) {
	c := NewCounts(3)
	var wg sync.WaitGroup
	for a := Addr(1); a <= 4; a++ {
		for range 2 {
			wg.Go(func() {
				for range 1000 {
					if !c.Enter(a) {
						t.Errorf("%d has not two", a)
						return
					}
					c.Leave(a)
				}
			})
		}
	}
	wg.Wait()
	if c.Len() != 0 {
		t.Errorf("%d are left", c.Len())
	}
	for i, want := range []bool{true, true, true, false, false} {
		if got := c.Enter(7); got != want {
			t.Errorf("%d: %t", i, got)
		}
	}
	c.Leave(7)
	if !c.Enter(7) || c.Enter(7) {
		t.Error("not one more for one that has left")
	}
	for _, c := range []*Counts{NewCounts(0), {}} {
		for range 100 {
			if !c.Enter(7) {
				t.Fatal("no limit is one")
			}
		}
		c.Leave(7)
	}
	for range 100 {
		if !c.Enter(Exempt) {
			t.Fatal("who is exempt is not")
		}
	}
	c.Leave(Exempt)
}

// TestShares: however many addresses take all that they can, somebody new finds a place; and who comes early has what he
// may have.
func TestShares(t *testing.T) {
	const each, all = 16, 256
	c, taken := NewCounts(each), 0
	fill := func(a Addr) (n int) {
		for taken < all && c.EnterOf(a, all, taken) {
			n++
			taken++
		}
		return n
	}
	for a := Addr(1); a <= all/each/2; a++ {
		if n := fill(a); n != each {
			t.Errorf("address %d has %d while half are free", a, n)
		}
	}
	last := each
	for a := Addr(all/each/2 + 1); a <= 40; a++ {
		n := fill(a)
		if n > last || n == 0 {
			t.Errorf("address %d has %d, the one before %d", a, n, last)
		}
		last = n
	}
	if t.Logf("%d taken", taken); taken >= all || !c.EnterOf(99, all, taken) {
		t.Error("nobody new gets in")
	}
	if !NewCounts(1).EnterOf(1, 2, 2) {
		t.Error("none is less than an address may have")
	}
}
