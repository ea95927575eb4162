package auth

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Config says who may come in.
type Config struct {
	// Tokens are those that are accepted; nil accepts none.
	Tokens *Tokens

	// Keys check the tokens that somebody else has signed; nil accepts none. One whose name is kept for a token of Tokens is not valid.
	Keys *Keys

	// Anonymous is what a caller without a token may do, in all rooms.
	// Unset: Write while Tokens and Keys are nil, else None.
	Anonymous Access
}

// A Checker finds the identity behind a request. It may be used by many
// goroutines.
type Checker struct {
	tokens    *Tokens
	keys      *Keys
	anonymous *Identity
	due       atomic.Int64 // when the first of those that Lost has let pass expires, in seconds since 1970; 0 is never
}

// New returns a Checker for cfg; its only error is an Anonymous out of range.
func New(cfg Config) (*Checker, error) {
	a := cfg.Anonymous
	switch {
	case a > Write || a == Metrics:
		return nil, fmt.Errorf("%w: Anonymous is %v: must be None, Read or Write", ErrInvalid, a)
	case a == Unset && cfg.Tokens == nil && cfg.Keys == nil:
		a = Write
	case a == Unset:
		a = None
	}
	return &Checker{tokens: cfg.Tokens, keys: cfg.Keys, anonymous: &Identity{Access: a, Anonymous: true, tokens: cfg.Tokens, others: cfg.Tokens != nil || cfg.Keys != nil}}, nil
}

// Identify returns whose token r bears. Without a token that is the anonymous
// identity if it may do anything, else ErrNoToken. A token that is not valid is
// ErrBadToken, which may be a *ClaimError, or ErrExpired also where none is needed: its owner believes to be somebody. The
// last error is ErrRequest, see FromRequest. Where there are no tokens at all, one that is sent is not looked at.
func (c *Checker) Identify(r *http.Request) (*Identity, error) {
	if !c.HasTokens() {
		return c.nobody()
	}
	token, ok, err := FromRequest(r)
	if err != nil {
		return nil, err
	}
	if !ok {
		return c.nobody()
	}
	if c.tokens != nil {
		if id, ok := c.tokens.Lookup(token); ok {
			if id.expired(time.Now()) {
				return nil, ErrExpired
			}
			return id, nil
		}
	}
	if c.keys != nil {
		return c.verify(token)
	}
	return nil, ErrBadToken
}

// nobody is who comes without a token.
func (c *Checker) nobody() (*Identity, error) {
	if c.anonymous.Access == None {
		return nil, ErrNoToken
	}
	return c.anonymous, nil
}

// HasTokens reports whether there are tokens at all, of a file or signed.
func (c *Checker) HasTokens() bool { return c.tokens != nil || c.keys != nil }

// Lost returns why a connection of id, which Identify returned earlier, is to end, in words for its user; "" if it may stay. Who
// asks once it can be found, and for all there are after a Reload and whenever Due says so, misses nobody.
func (c *Checker) Lost(id *Identity) (why string) {
	if id.Anonymous {
		return ""
	}
	if id.signed {
		return c.lostSigned(id)
	}
	now := c.tokens.current(id)
	switch {
	case now == nil:
		return "the token was taken back"
	case !now.covers(id):
		return "the token allows less than before: connect again"
	case now.expired(time.Now()):
		return "the token has expired: get another"
	}
	c.expect(now.Expires)
	return ""
}

// lostSigned is Lost for a token that somebody else signed: it says the same as ever, but its key may be gone.
func (c *Checker) lostSigned(id *Identity) (why string) {
	switch {
	case !c.keys.has(id):
		return "the key that signed the token was taken back: get another token"
	case c.reserved(id):
		return "the name of the token is kept for another token now"
	case id.expired(time.Now()):
		return "the token has expired: get another"
	}
	c.expect(id.Expires)
	return ""
}

// expect has Due say so at this time.
func (c *Checker) expect(at int64) {
	for at != 0 {
		due := c.due.Load()
		if due != 0 && due <= at || c.due.CompareAndSwap(due, at) {
			return
		}
	}
}

// Due reports, once for each time at which one of them expires, that Lost is to be asked for all connections. It is cheap: ask
// every half second.
func (c *Checker) Due(now time.Time) bool {
	due := c.due.Load()
	// Whoever is added from here on is expected anew, and who was before is asked for.
	return due != 0 && now.Unix() >= due && c.due.CompareAndSwap(due, 0)
}
