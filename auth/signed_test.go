package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBesideTokens: both kinds count, and neither has the name of the other.
func TestBesideTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	own := must[string](t)(Create(path, Grant{Name: "Ann", Access: Read}))
	tokens := must[*Tokens](t)(Load(path, nil))
	h := signers()[algSecret]
	keys := loadKeys(t, h.file(t), "")
	both := must[*Checker](t)(New(Config{Tokens: tokens, Keys: keys}))
	alone := must[*Checker](t)(New(Config{Keys: keys}))
	signed := func(name string) string { return sign(t, h, good("name", name)) }
	for name, c := range map[string]struct {
		c     *Checker
		token string
		user  string
		want  string
	}{
		"own":               {both, own, "Ann", ""},
		"signed":            {both, signed("Bob"), "Bob", ""},
		"signed as another": {both, signed("Ann"), "", "that of a token of the server's own"},
		"one that looks so": {both, signed("\u0410nn"), "", "looks like one"},
		"alone":             {alone, signed("Ann"), "Ann", ""},
		"own without file":  {alone, own, "", "not valid"},
		"none":              {both, "", "", "a token is needed"},
		"none, alone":       {alone, "", "", "a token is needed"},
	} {
		var header []string
		if c.token != "" {
			header = []string{"Bearer " + c.token}
		}
		id, err := c.c.Identify(request("/", header...))
		switch {
		case c.want == "" && (err != nil || id.Name != c.user):
			t.Errorf("%s: %+v, %v", name, id, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestLostSigned: a connection ends when its token expires, its key is gone, or its name is given to another.
func TestLostSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens")
		must[string](t)(Create(path, Grant{Name: "Ann", Access: Read}))
		tokens := must[*Tokens](t)(Load(path, nil))
		a, b := signers()[algEd], signers()[algEC]
		keys := loadKeys(t, jwks(t, a.jwk("a"), b.jwk("b")), "")
		c := must[*Checker](t)(New(Config{Tokens: tokens, Keys: keys}))
		identify := func(s signer, kid, name string, lasts time.Duration) *Identity {
			token := sign(t, s, good("name", name, "exp", time.Now().Add(lasts).Unix()), "kid", kid)
			return must[*Identity](t)(c.Identify(request("/", "Bearer "+token)))
		}
		ids := []*Identity{identify(a, "a", "Bob", time.Minute), identify(a, "a", "Cleo", 2*time.Hour), identify(b, "b", "Dan", 2*time.Hour)}
		lost := func(want ...string) {
			t.Helper()
			for i, id := range ids {
				if why := c.Lost(id); (why == "") != (want[i] == "") || !strings.Contains(why, want[i]) {
					t.Errorf("%s: %q, want %q", id.Name, why, want[i])
				}
			}
		}
		lost("", "", "")
		time.Sleep(59 * time.Second)
		if c.Due(time.Now()) {
			t.Error("due too early")
		}
		time.Sleep(time.Second)
		if !c.Due(time.Now()) {
			t.Error("not due")
		}
		lost("has expired", "", "")
		write := func(raw []byte) error { return errors.Join(os.WriteFile(keys.Path(), raw, 0o600), keys.Reload()) }
		if err := write(jwks(t, a.jwk("renamed"))); err != nil { // the key counts, not what it is called
			t.Fatal(err)
		}
		lost("has expired", "", "key that signed")
		if err := write([]byte("no key")); !errors.Is(err, ErrKeyFile) || keys.Len() != 1 {
			t.Errorf("%d keys, %v", keys.Len(), err)
		}
		lost("has expired", "", "key that signed")
		must[string](t)(Create(path, Grant{Name: "Cleo", Access: Read}))
		if err := errors.Join(tokens.Reload(), write(jwks(t, a.jwk("a"), b.jwk("b")))); err != nil {
			t.Fatal(err)
		}
		lost("has expired", "kept for another", "")
	})
}

// TestOwner: two with one name are two.
func TestOwner(t *testing.T) {
	h := signers()[algSecret]
	k := loadKeys(t, h.file(t), "")
	seen := map[string]bool{(&Identity{Name: "Ann"}).Owner(): true, (&Identity{Anonymous: true}).Owner(): true}
	for _, sub := range []string{"Ann", "u-1", "u-2"} {
		id := must[*Identity](t)(k.Verify(sign(t, h, good("sub", sub))))
		if seen[id.Owner()] {
			t.Errorf("%s is taken for somebody else", sub)
		}
		seen[id.Owner()] = true
		again := must[*Identity](t)(k.Verify(sign(t, h, good("sub", sub, "name", "Other"))))
		if again.Owner() != id.Owner() {
			t.Errorf("%s is another with another name", sub)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d owners", len(seen))
	}
}
