// Package auth says who someone is and what they may do: tokens kept as hashes
// in a file, tokens that somebody else has signed (JWT) and a key checks, rights by room, and the reading of a token from a request. It
// answers no HTTP itself; its errors say what a caller should answer.
//
// One rule for callers: an [Identity] may be shared by everyone who presented the
// same token and is never changed.
//
// Rights are looked up when a connection is made, and looked at again by whoever has connections: after a
// [Tokens.Reload] or a [Keys.Reload], and when [Checker.Due] says that a token may have expired, [Checker.Lost] says whose are to end.
//
// Expiry goes by the wall clock. On a board without a clock battery a token that has expired counts until the clock is set.
package auth

import (
	"errors"
	"fmt"
)

var (
	// ErrNoToken says that there is no token where one is needed. Answer 401.
	ErrNoToken = errors.New("auth: a token is needed")

	// ErrBadToken says that the token is not one of ours. Answer 401.
	ErrBadToken = errors.New("auth: token is not valid")

	// ErrExpired says that the token was one of ours. It is an ErrBadToken.
	ErrExpired = fmt.Errorf("%w: it has expired", ErrBadToken)

	// ErrRequest says that it cannot be told which token is meant. Answer 400
	// (RFC 6750, section 3.1, invalid_request).
	ErrRequest = errors.New("auth: token cannot be read from the request")

	// ErrFile says that a token file cannot be used, or holds a line that is not understood.
	ErrFile = errors.New("auth: bad token file")

	// ErrKeyFile says that a key file cannot be used.
	ErrKeyFile = errors.New("auth: bad key file")

	// ErrExists says that a token of that name exists already.
	ErrExists = errors.New("auth: token exists")

	// ErrNotFound says that no token has that name.
	ErrNotFound = errors.New("auth: no such token")

	// ErrInvalid says that a name, an access or a room pattern cannot be used.
	ErrInvalid = errors.New("auth: not valid")
)
