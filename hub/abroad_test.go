package hub

import (
	"strings"
	"sync"
	"testing"

	"edgechat/codec"
)

// TestAbroadWhileJoining: whoever joins while somebody comes elsewhere either is told how many are there with him, or hears of him afterwards: not both,
// and not neither.
func TestAbroadWhileJoining(t *testing.T) {
	h := newHub(t, Config{})
	said := &codec.Event{Type: codec.TypeJoined, Username: "Bob", Time: 1}
	for i := range 500 {
		var wg sync.WaitGroup
		begin := make(chan struct{})
		wg.Go(func() {
			<-begin
			h.Abroad("den", said)
		})
		ann := &sink{room: endless}
		close(begin)
		p := join(t, h, "den", ann, Join{Username: "Ann"})
		wg.Wait()
		say(t, h, "den", "1") // which takes along what waits
		ann.await(t, " m ")
		heard := strings.Count(strings.Join(ann.lines(), "\n"), "joined Bob")
		if p.Members+heard != 2 {
			t.Fatalf("join %d: %d members, and %d heard of", i, p.Members, heard)
		}
		ann.leave()
		h.Abroad("den", &codec.Event{Type: codec.TypeLeft, Username: "Bob", Time: 1})
	}
	if n := h.abroad.count("den"); n != 0 || len(h.abroad.rooms) != 0 {
		t.Errorf("%d are left over", n)
	}
}
