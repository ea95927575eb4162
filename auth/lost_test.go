package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCovers: what allows less, in any room, does not cover what was.
func TestCovers(t *testing.T) {
	id := func(text string) *Identity {
		f := strings.Fields(text)
		a, err := ParseAccess(f[1])
		if err != nil {
			t.Fatal(err)
		}
		return &Identity{Name: f[0], Access: a, Rooms: f[2:]}
	}
	for _, c := range []struct {
		now, was string
		want     bool
	}{
		{"Ann read", "Ann read", true}, {"Ann write", "Ann read", true}, {"Ann read", "Ann write", false}, {"Bob read", "Ann read", false},
		{"Ann none", "Ann read", false}, {"Ann admin", "Ann moderate", true}, {"Ann read den", "Ann read", false}, {"Ann read", "Ann read den", true},
		{"Ann read *", "Ann read", false}, {"Ann read *", "Ann read d*", true}, {"Ann read den attic", "Ann read attic", true},
		{"Ann read den", "Ann read attic den", false}, {"Ann read de*", "Ann read den d*", false}, {"Ann read d*", "Ann read den de*", true}, {"Ann read den", "Ann read den*", false},
	} {
		if got := id(c.now).covers(id(c.was)); got != c.want {
			t.Errorf("%q covers %q: %v", c.now, c.was, got)
		}
	}
}

// TestLost: a connection is told why it ends; expiry is due once, when the first of those that are there expires, and not before.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens")
		grant := func(name string, lasts time.Duration) string {
			g := Grant{Name: name, Access: Write}
			if lasts != 0 {
				g.Expires = time.Now().Add(lasts)
			}
			return must[string](t)(Create(path, g))
		}
		secrets := []string{grant("Ann", 0), grant("Bob", time.Hour), grant("Cleo", time.Minute), grant("Dan", time.Hour)}
		tokens := must[*Tokens](t)(Load(path, nil))
		c := must[*Checker](t)(New(Config{Tokens: tokens, Anonymous: Read}))
		var ids []*Identity
		for _, s := range secrets {
			ids = append(ids, must[*Identity](t)(c.Identify(request("/", "Bearer "+s))))
		}
		nobody := must[*Identity](t)(c.Identify(request("/")))
		lost := func(want ...string) {
			t.Helper()
			for i, id := range append(ids, nobody) {
				if why := c.Lost(id); (why == "") != (want[i] == "") || !strings.Contains(why, want[i]) {
					t.Errorf("%s: %q, want %q", id.Name, why, want[i])
				}
			}
		}
		if c.Due(time.Now().Add(9 * time.Hour)) {
			t.Error("due before anyone was there")
		}
		lost("", "", "", "", "")
		time.Sleep(59 * time.Second)
		if c.Due(time.Now()) {
			t.Error("due too early")
		}
		time.Sleep(time.Second)
		if !c.Due(time.Now()) || c.Due(time.Now()) {
			t.Error("not due once")
		}
		lost("", "", "has expired", "", "")
		if _, err := c.Identify(request("/", "Bearer "+secrets[2])); !errors.Is(err, ErrExpired) || !errors.Is(err, ErrBadToken) {
			t.Errorf("who comes with it: %v", err)
		}
		raw := string(must[[]byte](t)(os.ReadFile(path)))
		raw = strings.Replace(raw, `"access":"write"`, `"access":"read"`, 1)
		if err := errors.Join(os.WriteFile(path, []byte(raw), 0o600), Revoke(path, "Dan"), tokens.Reload()); err != nil {
			t.Fatal(err)
		}
		lost("allows less", "", "has expired", "taken back", "")
		time.Sleep(time.Hour)
		if !c.Due(time.Now()) {
			t.Error("Bob's is not due")
		}
		lost("allows less", "has expired", "has expired", "taken back", "")
		list := must[[]Token](t)(List(path))
		if len(list) != 3 || list[0].Expires != 0 || list[1].Expires == 0 {
			t.Errorf("%+v", list)
		}
		for _, past := range []time.Duration{-time.Second, -time.Hour} {
			if _, err := Create(path, Grant{Name: "Eve", Access: Read, Expires: time.Now().Add(past)}); !errors.Is(err, ErrInvalid) {
				t.Errorf("one that has expired: %v", err)
			}
		}
	})
}

// TestLostAllocates: whoever is looked at costs nothing.
func TestLostAllocates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token := must[string](t)(Create(path, Grant{Name: "Ann", Access: Write}))
	c := must[*Checker](t)(New(Config{Tokens: must[*Tokens](t)(Load(path, nil)), Anonymous: Read}))
	for _, header := range [][]string{nil, {"Bearer " + token}} {
		id := must[*Identity](t)(c.Identify(request("/", header...)))
		if n := testing.AllocsPerRun(100, func() {
			if c.Lost(id) != "" || c.Due(time.Now()) {
				t.Error("lost")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", fmt.Sprint(id.Name), n)
		}
	}
}

// TestOffered: browsers send a token as a subprotocol.
func TestOffered(t *testing.T) {
	for _, c := range []struct {
		offers []string
		header []string
		target string
		token  string
		err    error
	}{
		{[]string{"edgechat.v1.json, bearer.edc_a"}, nil, "/", "edc_a", nil},
		{[]string{"bearer.edc_a,edgechat.v1.json"}, nil, "/", "edc_a", nil},
		{[]string{"edgechat.v1.json", "bearer.edc_a"}, nil, "/", "edc_a", nil},
		{[]string{"edgechat.v1.json"}, nil, "/", "", nil},
		{[]string{"x.bearer.edc_a"}, nil, "/", "", nil},
		{[]string{"bearer.edc_a"}, []string{"Bearer edc_a"}, "/?token=edc_a", "edc_a", nil},
		{[]string{"bearer.edc_a"}, []string{"Bearer edc_b"}, "/", "", ErrRequest},
		{[]string{"bearer.edc_a"}, nil, "/?token=edc_b", "", ErrRequest},
		{[]string{"bearer.edc_a, bearer.edc_b"}, nil, "/", "", ErrRequest},
		{[]string{"bearer."}, nil, "/", "", ErrBadToken},
		{[]string{"bearer.a b"}, nil, "/", "", ErrBadToken},
	} {
		r := request(c.target, c.header...)
		for _, o := range c.offers {
			r.Header.Add("Sec-WebSocket-Protocol", o)
		}
		token, ok, err := FromRequest(r)
		if token != c.token || ok != (c.token != "") || !errors.Is(err, c.err) {
			t.Errorf("%v %v %s: %q, %v, %v", c.offers, c.header, c.target, token, ok, err)
		}
		if err != nil && strings.Contains(err.Error(), "edc_") {
			t.Errorf("the error shows the token: %v", err)
		}
	}
}
