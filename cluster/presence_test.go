package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
)

// newPresence returns that of a node which broadcasts nothing.
func newPresence() *presence {
	l := &Log{cfg: Config{Node: strings.Repeat("n", 64)}}
	l.presence.init(l)
	return &l.presence
}

// TestBroadcasts: 10,000 members, with names that are as long as can be, and all that happens to them are told in broadcasts of which none is longer than an engine takes; what
// a heartbeat takes does not go by members.
func TestBroadcasts(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("\u2028", 64), strings.Repeat(`"`, 64)} {
		p := newPresence()
		for i := range 10_000 {
			who := &codec.Event{Username: name + fmt.Sprint("member ", i), Verified: i%2 == 0, Time: time.Now().UnixMilli()}
			for _, who.Type = range []codec.Type{codec.TypeJoined, codec.TypeTyping, codec.TypeLeft, codec.TypeJoined} {
				p.announced(name+fmt.Sprint("room ", i%50), who)
			}
		}
		p.asked = true
		kinds := map[string][2]int{} // how many, of how many bytes
		for _, m := range p.news() {
			m.Node, m.Boot = p.log.cfg.Node, p.boot
			n := len(encode(m))
			if n > mostBroadcast {
				t.Errorf("%s: %d bytes", m.Kind, n)
			}
			kinds[m.Kind] = [2]int{kinds[m.Kind][0] + 1, kinds[m.Kind][1] + n}
		}
		t.Logf("names of %d bytes: broadcasts and bytes of each kind: %v", len(name), kinds)
		if kinds["all"][0] == 0 || kinds["event"][0] == 0 {
			t.Errorf("%v", kinds)
		}
		beat := len(encode(&message{Node: p.log.cfg.Node, Boot: p.boot, Kind: "beat", Number: 1 << 60, Digest: 1<<64 - 1}))
		if beat > mostHead {
			t.Errorf("a heartbeat has %d bytes", beat)
		}
	}
}

// A told crowd counts what it is told.
type told map[string]int

func (told) Empty() bool { return false }

func (c told) Abroad(room string, e *codec.Event) { c[room+" "+string(e.Type)+" "+e.Username]++ }

// TestPartsOfTwoLists: who has missed some parts of a list of all takes them from a later one of the same number.
func TestPartsOfTwoLists(t *testing.T) {
	from, to := newPresence(), newPresence()
	heard := told{}
	to.crowd = heard
	const members = 1000
	for i := range members {
		from.announced("den", &codec.Event{Type: codec.TypeJoined, Username: fmt.Sprint("m", i), Time: 1})
	}
	from.news()
	o := &other{members: map[seat]*place{}}
	lists := [][]*message{from.allLocked(), from.allLocked()}
	if len(lists[0]) < 3 {
		t.Fatalf("%d parts", len(lists[0]))
	}
	for i := range lists[0] {
		to.take(o, lists[i%2][i])
	}
	if len(heard) != members || len(o.members) != members {
		t.Errorf("%d of %d joined, %d are known", len(heard), members, len(o.members))
	}
}

// TestTooManyChanges: changes that the engine does not take in time are bounded, and others notice.
func TestTooManyChanges(t *testing.T) {
	p := newPresence()
	p.news()
	for i := range 3 * mostChanges {
		p.announced("den", &codec.Event{Type: codec.TypeJoined, Username: fmt.Sprint("m", i), Time: 1})
		p.announced("den", &codec.Event{Type: codec.TypeLeft, Username: fmt.Sprint("m", i), Time: 1})
		p.announced("den", &codec.Event{Type: codec.TypeTyping, Username: "x", Time: 1})
		if len(p.changes) > mostChanges || len(p.typing) > mostTyping {
			t.Fatalf("%d changes wait", len(p.changes))
		}
	}
	number := p.number
	if list := p.news(); p.number == number || len(list) > 10 || len(p.here) != 0 {
		t.Errorf("number %d is %d, %d broadcasts", number, p.number, len(list))
	}
	for range 3 * mostDecided {
		p.log.Spread([]byte("[]"))
	}
	if len(p.decided) != mostDecided {
		t.Errorf("%d decisions wait", len(p.decided))
	}
}
