package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"edgechat/cluster"
	"edgechat/internal/edgetest"
)

// TestAdvertisedKept: what is no address is passed over, lists are bounded, and origins of nodes that are gone stay.
func TestAdvertisedKept(t *testing.T) {
	n := advertised{own: "http://attic.local:3000"}
	n.heard([]cluster.Peer{{Address: "wss://Cellar.example:443/edge/"}, {Address: "javascript:alert(1)"}, {Address: ""}, {Address: "http://attic.local:3000"},
		{Address: "http://x.local/?q"}, {Address: "http://a;b.local"}, {Address: "http://[fe80::1%25eth0]:3000"}, {Address: "http://" + strings.Repeat("x", 300)}})
	if got := fmt.Sprint(n.addresses(), n.origins()); got != "[https://cellar.example/edge] [https://cellar.example http://attic.local:3000]" {
		t.Error(got)
	}
	n.heard(nil)
	if got := fmt.Sprint(n.addresses(), n.origins()); got != "[] [https://cellar.example http://attic.local:3000]" {
		t.Error(got)
	}
	if allowed := n.peers(); !allowed("https://cellar.example") || allowed("http://cellar.example") || allowed("https://evil.example") {
		t.Error("origins are not compared whole")
	}
	for i := range 300 {
		n.heard([]cluster.Peer{{Address: fmt.Sprintf("http://n%d.local", i)}, {Address: fmt.Sprintf("http://m%d.local", i)}})
	}
	var many []cluster.Peer
	for i := range 300 {
		many = append(many, cluster.Peer{Address: fmt.Sprintf("http://o%d.local", i)})
	}
	if len(n.origins()) != mostOrigins || !strings.Contains(fmt.Sprint(n.origins()[:2]), "n299") {
		t.Errorf("%d origins, %v", len(n.origins()), n.origins()[:2])
	}
	n.heard(many)
	if len(n.origins()) != mostOrigins || len(n.addresses()) != mostNodes {
		t.Errorf("%d origins, %d addresses", len(n.origins()), len(n.addresses()))
	}
	var silent advertised
	silent.heard(many)
	if silent.peers() != nil || silent.addresses() != nil || silent.origins() != nil {
		t.Error("who advertises nothing has a part in it")
	}
}

// TestAdvertise: clients of one node are told of the others, their pages may use it, also when their node is gone, and no others may. A node that
// advertises nothing is not told of, and tells nobody.
func TestAdvertise(t *testing.T) {
	r := startRedis(t)
	begin := func(name, address string) *running {
		s := start(t, Config{Cluster: "unix:" + r.socket(), NodeName: name, Advertise: address})
		clusterWait(t, name+" is ready", func() bool { return s.cluster.Ready() == nil })
		return s
	}
	a, b, quiet := begin("a", "ws://attic.local:3000/"), begin("b", "https://chat.example/edge"), begin("quiet", "")
	clusterWait(t, "they know each other", func() bool {
		return len(a.advertised.addresses()) == 1 && len(b.advertised.addresses()) == 1 && len(quiet.cluster.Status().Peers) == 2
	})
	for _, c := range []struct {
		at   *running
		want string
	}{{a, "[https://chat.example/edge]"}, {b, "[http://attic.local:3000]"}, {quiet, "<nil>"}} {
		many := edgetest.Dial(t, c.at.url+"/chat?username=Ann", clusterProtocol)
		one := edgetest.Dial(t, c.at.url+"/chat/room/den?username=Ann", clusterProtocol)
		if m, o := many.JSONOf("welcome"), one.JSONOf("subscribed"); fmt.Sprint(m["nodes"]) != c.want || fmt.Sprint(o["nodes"]) != c.want {
			t.Errorf("welcome %v, subscribed %v, want %s", m, o, c.want)
		}
		many.Text(`{"type":"join","room":"den"}`)
		if m := many.JSONOf("subscribed"); m["nodes"] != nil {
			t.Errorf("told once more in each room: %v", m)
		}
		plain := edgetest.Dial(t, c.at.url+"/chat/room/den?username=Ann&since=all")
		if m := plain.JSONOf("subscribed"); m["nodes"] != nil {
			t.Errorf("a plain client is told: %v", m)
		}
	}
	visit := func(s *running, origin string) (int, http.Header) {
		t.Helper()
		req, err := http.NewRequest("GET", s.url+"/chat/rooms", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	clusterWait(t, "b is not told of any more", func() bool { return len(a.advertised.addresses()) == 0 })
	for origin, want := range map[string]int{"https://chat.example": 200, "http://chat.example": 403, "https://evil.example": 403, "https://chat.example.evil.example": 403} {
		if status, h := visit(a, origin); status != want || (h.Get("Access-Control-Allow-Origin") == origin) != (want == 200) {
			t.Errorf("a page of %s: %d %v", origin, status, h)
		}
	}
	if status, _ := visit(quiet, "https://chat.example"); status != 403 {
		t.Errorf("at a node that advertises nothing: %d", status)
	}
	res, err := http.Get(a.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, " https://chat.example wss://chat.example;") {
		t.Error(policy)
	}
	if text := a.clusterStatus().Peers; len(text) != 1 || text[0].Name != "quiet" {
		t.Errorf("status %+v", text)
	}
}

// TestAdvertiseWrong: an address that no client can use is refused at the start.
func TestAdvertiseWrong(t *testing.T) {
	for _, bad := range []string{"attic.local:3000", "http://", "ftp://attic.local", "http://u:p@attic.local", "http://attic.local/?a", "http://attic.local/#a", "http://a b"} {
		_, err := New(Config{Data: t.TempDir(), Listen: []string{"127.0.0.1:0"}, Cluster: "unix:/nowhere", Advertise: bad})
		if err == nil || !strings.Contains(err.Error(), "address for clients of other nodes") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := New(Config{Data: t.TempDir(), Listen: []string{"127.0.0.1:0"}, Advertise: "http://attic.local:3000"}); err == nil || !strings.Contains(err.Error(), "no cluster") {
		t.Errorf("without a cluster: %v", err)
	}
}
