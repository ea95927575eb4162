package auth

import (
	"fmt"
	"net/http"
)

// Config says who may come in.
type Config struct {
	// Tokens are those that are accepted; nil accepts none.
	Tokens *Tokens

	// Anonymous is what a caller without a token may do, in all rooms.
	// Unset: Write while Tokens is nil, else None.
	Anonymous Access
}

// A Checker finds the identity behind a request. It may be used by many
// goroutines.
type Checker struct {
	tokens    *Tokens
	anonymous *Identity
}

// New returns a Checker for cfg; its only error is an Anonymous out of range.
func New(cfg Config) (*Checker, error) {
	a := cfg.Anonymous
	switch {
	case a > Write:
		return nil, fmt.Errorf("%w: Anonymous is %v: must be None, Read or Write", ErrInvalid, a)
	case a == Unset && cfg.Tokens == nil:
		a = Write
	case a == Unset:
		a = None
	}
	return &Checker{cfg.Tokens, &Identity{Access: a, Anonymous: true, tokens: cfg.Tokens}}, nil
}

// Identify returns whose token r bears. Without a token that is the anonymous
// identity if it may do anything, else ErrNoToken. A token that is not valid is
// ErrBadToken also where none is needed: its owner believes to be somebody. The third
// error is ErrRequest, see FromRequest.
func (c *Checker) Identify(r *http.Request) (*Identity, error) {
	token, ok, err := FromRequest(r)
	if err != nil {
		return nil, err
	}
	if !ok {
		if c.anonymous.Access == None {
			return nil, ErrNoToken
		}
		return c.anonymous, nil
	}
	if c.tokens == nil {
		return nil, fmt.Errorf("%w: no tokens are set up here: come without one", ErrBadToken)
	}
	id, ok := c.tokens.Lookup(token)
	if !ok {
		return nil, ErrBadToken
	}
	return id, nil
}
