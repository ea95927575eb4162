package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/internal/edgetest"
)

// named is welcome with what a server says of others.
func named(nodes string) string {
	return strings.TrimSuffix(welcome, "}") + `,"nodes":[` + nodes + `]}`
}

// A server that is gone is tried once more; then the others that it has named are tried in turn, soon, and the Room comes to one of them with its cursor,
// and what was not acknowledged.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		up := map[string]bool{"pi:80": true}
		var tried []string
		dial := func(_ context.Context, _, address string) (net.Conn, error) {
			tried = append(tried, address)
			if !up[address] {
				return nil, errors.New("nobody is there")
			}
			here, there := net.Pipe()
			s.conns <- there
			return here, nil
		}
		joined := make(chan *Room, 1)
		go func() {
			r, err := Join(t.Context(), Config{URL: "http://pi", Room: "den", Dial: dial})
			if err != nil {
				t.Errorf("Join: %v", err)
			}
			joined <- r
		}()
		c, _ := s.accept(named(`"http://attic.local:3000","https://cellar.example/edge","ftp://x","http://pi"`))
		r := <-joined
		up = map[string]bool{"attic.local:3000": true}
		if err := c.Conn.Close(); err != nil {
			t.Fatal(err)
		}
		acked := make(chan error, 1)
		go func() {
			_, err := r.Publish(t.Context(), "is anybody there?")
			acked <- err
		}()
		began := time.Now()
		c, query := s.accept(welcome)
		if !strings.Contains(query, "since=e-7") {
			t.Errorf("it came with %q", query)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("that took %v", took)
		}
		if got := strings.Join(tried[1:], " "); !strings.HasPrefix(got, "pi:80 ") || !strings.HasSuffix(got, " attic.local:3000") || len(tried) > 4 {
			t.Errorf("it tried %s", got)
		}
		var f struct {
			Key string `json:"idempotency_key"`
		}
		if err := json.Unmarshal(receive(t, c), &f); err != nil {
			t.Fatal(err)
		}
		c.Raw(unmasked(edgetest.OpText, `{"type":"ack","idempotency_key":"`+f.Key+`","id":"e-8","offset":8,"durable":true}`))
		if err := <-acked; err != nil {
			t.Error(err)
		}
		r.Close()
		time.Sleep(time.Minute) // the other side
	})
}

// Nothing goes from a server with TLS to one without, and the addresses are bounded.
func TestPlacesKept(t *testing.T) {
	var p places
	home, err := ParseURL("https://pi.example")
	if err != nil {
		t.Fatal(err)
	}
	p.init(home)
	p.meet([]string{"http://attic.local:3000", "wss://cellar.example", "https://pi.example", "https://a b"})
	if len(p.list) != 2 || p.list[1].Host != "cellar.example" {
		t.Errorf("%v", p.list)
	}
	if !p.next() || p.next() || p.now() != home {
		t.Error("it does not go to each once")
	}
	for n := range 3 {
		var many []string
		for i := range 100 {
			many = append(many, "https://n"+string(rune('a'+i%26))+strings.Repeat("x", n)+strings.Repeat("y", i)+".example")
		}
		p.meet(many)
	}
	if len(p.list) != mostPlaces || p.list[0] != home {
		t.Errorf("%d addresses", len(p.list))
	}
	p.meet(nil)
	if len(p.list) != mostPlaces {
		t.Error("those that are away are forgotten")
	}
}

// All that one server names are kept, beside where the Room is and where it began.
func TestPlacesNamed(t *testing.T) {
	var p places
	p.init(parse(t, "http://pi"))
	p.meet([]string{"http://attic"})
	if !p.next() {
		t.Fatal("there is no other address")
	}
	var named []string
	for i := range 16 { // the bound of docs/protocol.md
		named = append(named, fmt.Sprintf("http://node%d", i))
	}
	for range 2 {
		p.meet(slices.Clone(named))
		for _, node := range append([]string{"http://pi", "http://attic"}, named...) {
			if !slices.ContainsFunc(p.list, func(u *url.URL) bool { return u.String() == node }) {
				t.Errorf("%s is not kept", node)
			}
		}
	}
	if p.now().Host != "attic" {
		t.Errorf("it is at %s", p.now())
	}
}

// One server is one place, however its address is written.
func TestPlacesSame(t *testing.T) {
	for _, c := range []struct {
		home, node string
		same       bool
	}{
		{"http://pi", "ws://pi", true},
		{"ws://pi", "http://pi", true},
		{"wss://pi:443/edge/", "https://PI/edge", true},
		{"http://pi:80", "http://pi", true},
		{"http://[fd00::1]", "ws://[FD00::1]:80", true},
		{"http://pi", "https://pi", false},
		{"http://pi", "https://pi:80", false},
		{"http://pi", "http://pi:3000", false},
		{"http://pi/a", "http://pi/A", false},
		{"http://pi/a%2fb", "http://pi/a/b", false},
	} {
		var p places
		p.init(parse(t, c.home))
		p.meet([]string{c.node})
		if p.now() != p.home || (len(p.list) == 1) != c.same {
			t.Errorf("%s and %s: %v", c.home, c.node, p.list)
		}
	}
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := ParseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
