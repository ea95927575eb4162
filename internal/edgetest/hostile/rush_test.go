package hostile

import (
	"fmt"
	"testing"
)

// Who says something without pause is slowed down to what the others take, and none of these is closed or misses
// anything.
func TestRush(t *testing.T) {
	for _, readers := range []int{1, 10} {
		t.Run(fmt.Sprint(readers), func(t *testing.T) {
			s := serve(t)
			c := Start(t, Task{Rush: &Rush{Addr: s.Addr, Readers: readers}})
			wait()
			var r Rushed
			c.End(&r)
			t.Logf("%d messages said in %v; heard: %v", r.Said, *long, r.Heard)
			for _, lost := range r.Lost {
				t.Error("client ", lost)
			}
			for i, heard := range r.Heard {
				if heard != r.Said {
					t.Errorf("client %d heard %d of %d", i, heard, r.Said)
				}
			}
			s.Stop()
		})
	}
}
