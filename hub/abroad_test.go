package hub

import (
	"fmt"
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

// TestEmpty: who is in a room counts, announced or not; what is said there without anybody does not, and no more does who is elsewhere.
func TestEmpty(t *testing.T) {
	h := newHub(t, Config{})
	h.Abroad("den", &codec.Event{Type: codec.TypeJoined, Username: "Bob", Time: 1})
	say(t, h, "den", "1")
	if !h.Empty() {
		t.Error("nobody is here, and it is not empty")
	}
	for _, quiet := range []bool{false, true} {
		ann := &sink{room: endless}
		join(t, h, "den", ann, Join{Username: "Ann", Quiet: quiet})
		if h.Empty() {
			t.Errorf("somebody is here, quiet %t, and it is empty", quiet)
		}
		ann.leave()
		if !h.Empty() {
			t.Error("all have left, and it is not empty")
		}
	}
}

// TestMembersOnce: a list of who is in a room, here and elsewhere, is made once for all who ask, and anew when somebody comes or goes at either place.
func TestMembersOnce(t *testing.T) {
	h := newHub(t, Config{})
	told := func(what codec.Type, name string) { h.Abroad("den", &codec.Event{Type: what, Username: name, Time: 1}) }
	names := func() string {
		list, again := h.Members("den"), h.Members("den")
		if !same(list, again) {
			t.Error("a list was made twice")
		}
		var all []string
		for _, m := range list {
			all = append(all, fmt.Sprint(m.Username, m.Connections))
		}
		return strings.Join(all, " ")
	}
	want := func(s string) {
		t.Helper()
		if got := names(); got != s {
			t.Errorf("members %q, want %q", got, s)
		}
	}
	want("")
	told(codec.TypeJoined, "Bob")
	want("Bob1")
	ann := &sink{room: endless}
	join(t, h, "den", ann, Join{Username: "Ann"})
	want("Ann1 Bob1")
	told(codec.TypeJoined, "Ann")
	told(codec.TypeJoined, "Bob")
	want("Ann2 Bob2")
	told(codec.TypeLeft, "Bob")
	told(codec.TypeLeft, "Zoe") // who was never there
	want("Ann2 Bob1")
	if n := h.abroad.count("den"); n != 2 {
		t.Errorf("%d connections elsewhere", n)
	}
	ann.leave()
	want("Ann1 Bob1")
	told(codec.TypeLeft, "Ann")
	told(codec.TypeLeft, "Bob")
	want("")
}
