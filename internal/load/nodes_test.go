package load

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"edgechat/server"
)

// Nodes are one server here, at two addresses; acknowledged are messages, and what is acknowledged comes once.
func TestNodes(t *testing.T) {
	t.Parallel()
	url := serve(t, server.Config{})
	other := strings.Replace(url, "127.0.0.1", "localhost", 1)
	for _, msgPack := range []bool{false, true} {
		rep := do(t, Config{URL: url, Nodes: []string{other}, Clients: 8, Rooms: 2, Rate: 40, Duration: 500 * time.Millisecond, Keys: true, MsgPack: msgPack})
		wantWhole(t, rep, 40)
		if rep.Load.Nodes != 2 || rep.Expected != 40*4 {
			t.Errorf("%d nodes, %d deliveries", rep.Load.Nodes, rep.Expected)
		}
	}
}

// Each room has as many members on each node, and rooms that follow each other have their first on different ones.
func TestNodeOf(t *testing.T) {
	const rooms = 4
	r := &run{cfg: Config{Rooms: rooms}, nodes: make([]node, 3)}
	for room := range rooms {
		var list []int
		for i := room; i < rooms*6; i += rooms {
			list = append(list, slices.Index([]*node{&r.nodes[0], &r.nodes[1], &r.nodes[2]}, r.nodeOf(i)))
		}
		if first := list[0]; first != room%3 {
			t.Errorf("the first of room %d is at node %d", room, first)
		}
		slices.Sort(list)
		if !slices.Equal(list, []int{0, 0, 1, 1, 2, 2}) {
			t.Errorf("room %d has its members at %d", room, list)
		}
	}
}

// The first client of each node finds its address, and all others go there, from several addresses if they are that many.
func TestTargets(t *testing.T) {
	t.Parallel()
	url := serve(t, server.Config{})
	r, err := newRun(Config{URL: url, Nodes: []string{strings.Replace(url, "127.0.0.1", "localhost", 1), url}, Clients: 12, Rooms: 2})
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.connect(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.finish()
	r.nodes[0].target = first.conn.RemoteAddr()
	r.start(first)
	r.connectAll(t.Context())
	if n := r.connected.Load(); n != 12 {
		t.Errorf("%d of 12 clients are connected", n)
	}
	for i, n := range r.nodes {
		if n.target == nil || n.target.String() != first.conn.RemoteAddr().String() {
			t.Errorf("node %d is at %v", i, n.target)
		}
	}
	r.cfg.Clients = 45_000
	for i := range 12 {
		if r.source(i) == nil {
			t.Errorf("client %d has no source", i)
		}
	}
}

// More clients than one address has ports come from several, if they are all of this machine.
func TestSource(t *testing.T) {
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3000}
	r := &run{cfg: Config{Clients: 45_000, Rooms: 1}, nodes: []node{{target: loopback}}}
	seen := map[string]int{}
	for i := range 45_000 {
		seen[r.source(i).String()]++
	}
	if len(seen) != 3 || seen["127.0.0.2:0"] != 20_000 || seen["127.0.0.4:0"] != 5_000 {
		t.Errorf("sources %v", seen)
	}
	r.cfg.Clients = 20_000
	if a := r.source(19_999); a != nil {
		t.Errorf("source %v for few clients", a)
	}
	r = &run{cfg: Config{Clients: 45_000, Rooms: 1}, nodes: []node{{target: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3000}}}}
	if a := r.source(44_999); a != nil {
		t.Errorf("source %v for another machine", a)
	}
}
