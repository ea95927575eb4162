package auth

import (
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"
)

// maxJWT bounds what is looked at as a signed token, in bytes.
const maxJWT = 8 << 10

// KeysConfig says which signed tokens (JWT, RFC 7519) are taken.
type KeysConfig struct {
	// Path is that of the key file: a PEM public key, a JWK set, or a secret. It must be set.
	Path string

	// Audience is what the claim aud must be or have in its list; "" looks at no aud.
	Audience string

	// Logger is told of keys that are passed over; nil discards.
	Logger *slog.Logger
}

// Keys check signed tokens. Which algorithm a token must be signed with is a matter of its key, whatever the token says. All methods
// may be called from any goroutine.
type Keys struct {
	cfg KeysConfig
	set atomic.Pointer[keySet] // replaced, never changed
}

// A keySet is what one reading of the file gave.
type keySet struct {
	keys   []key
	parser *jwt.Parser
}

// A key checks signatures.
type key struct {
	kid   string // "" for one that stands alone
	alg   string // HS256, EdDSA, ES256 or RS256
	value any    // as the library wants it for alg
	id    [32]byte
}

// LoadKeys reads the key file of cfg. An error names the file and what to mend: so for one that others may change, and for a secret
// that they may read.
func LoadKeys(cfg KeysConfig) (*Keys, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	k := &Keys{cfg: cfg}
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Reload reads the file again. On an error the keys stay as they were.
func (k *Keys) Reload() error {
	keys, err := readKeys(k.cfg.Path, k.cfg.Logger)
	if err != nil {
		return err
	}
	k.use(keys)
	return nil
}

func (k *Keys) use(keys []key) {
	var algs []string
	for _, key := range keys {
		if !slices.Contains(algs, key.alg) {
			algs = append(algs, key.alg)
		}
	}
	options := []jwt.ParserOption{jwt.WithValidMethods(algs), jwt.WithExpirationRequired(), jwt.WithStrictDecoding()}
	if k.cfg.Audience != "" {
		options = append(options, jwt.WithAudience(k.cfg.Audience))
	}
	k.set.Store(&keySet{keys, jwt.NewParser(options...)})
}

// Path returns the file's name, as given to LoadKeys.
func (k *Keys) Path() string { return k.cfg.Path }

// Len returns the number of keys.
func (k *Keys) Len() int { return len(k.set.Load().keys) }

// Verify returns the identity of a signed token. The error is ErrExpired, or a *ClaimError or another ErrBadToken; none shows
// anything of the token.
func (k *Keys) Verify(token string) (*Identity, error) {
	if !isSigned(token) {
		return nil, ErrBadToken
	}
	set := k.set.Load()
	var by *key
	c := claims{}
	_, err := set.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if _, there := t.Header["crit"]; there { // RFC 7515, section 4.1.11: none of them is understood here
			return nil, badClaim("the header has crit, and nothing of that is understood here")
		}
		var err error
		if by, err = set.find(t.Header["kid"], t.Method.Alg()); err != nil {
			return nil, err
		}
		return by.value, nil
	})
	if err != nil {
		return nil, claimError(err)
	}
	id, err := c.identity()
	if err != nil {
		return nil, err
	}
	id.signed, id.hash = true, by.id
	return id, nil
}

// isSigned reports whether token has the three parts of a signed token. None of those that Create makes has.
func isSigned(token string) bool { return len(token) <= maxJWT && strings.Count(token, ".") == 2 }

// find returns the key that a token is to be checked with, which its alg must fit.
func (s *keySet) find(kid any, alg string) (*key, error) {
	name, isText := kid.(string)
	if kid != nil && !isText {
		return nil, badClaim("kid in the header must be a string")
	}
	if name == "" && len(s.keys) > 1 {
		return nil, badClaim("the header has no kid, and the server has several keys: say with which it is signed")
	}
	// A key without a kid stands alone, and whatever the token calls it, it is checked with that.
	i := slices.IndexFunc(s.keys, func(k key) bool { return name == "" || k.kid == "" || k.kid == name })
	if i < 0 {
		return nil, badClaim("the server has no key of the kid that the header names")
	}
	if k := &s.keys[i]; k.alg == alg {
		return k, nil
	}
	return nil, badClaim("the token is signed with another algorithm than its key is for, which is %s", s.keys[i].alg)
}

// has reports whether the key that id's token was signed with is still there.
func (k *Keys) has(id *Identity) bool {
	return slices.ContainsFunc(k.set.Load().keys, func(key key) bool { return key.id == id.hash })
}

// verify is Verify where there is a token file too, whose names nobody else has.
func (c *Checker) verify(token string) (*Identity, error) {
	id, err := c.keys.Verify(token)
	switch {
	case err != nil:
		return nil, err
	case c.reserved(id):
		return nil, badClaim("its name is that of a token of the server's own, or looks like one: give it another, in the claim name")
	}
	return id, nil
}

// reserved reports whether the name of id, whose token is signed, is kept for a token of the file.
func (c *Checker) reserved(id *Identity) bool {
	return c.tokens != nil && c.tokens.set.Load().names.Has(id.Name)
}
