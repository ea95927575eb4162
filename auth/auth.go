// Package auth says who someone is and what they may do: tokens kept as hashes
// in a file, rights by room, and the reading of a token from a request. It
// answers no HTTP itself; its errors say what a caller should answer.
//
// One rule for callers: an [Identity] is shared by everyone who presented the
// same token and is never changed.
//
// Rights are looked up when a connection is made. A token that is revoked opens
// nothing new after the next [Tokens.Reload]; connections that it opened
// earlier stay until they close.
package auth

import "errors"

var (
	// ErrNoToken says that there is no token where one is needed. Answer 401.
	ErrNoToken = errors.New("auth: a token is needed")

	// ErrBadToken says that the token is not one of ours. Answer 401.
	ErrBadToken = errors.New("auth: token is not valid")

	// ErrRequest says that it cannot be told which token is meant. Answer 400
	// (RFC 6750, section 3.1, invalid_request).
	ErrRequest = errors.New("auth: token cannot be read from the request")

	// ErrFile says that a token file holds a line that is not understood.
	ErrFile = errors.New("auth: bad token file")

	// ErrExists says that a token of that name exists already.
	ErrExists = errors.New("auth: token exists")

	// ErrNotFound says that no token has that name.
	ErrNotFound = errors.New("auth: no such token")

	// ErrInvalid says that a name, an access or a room pattern cannot be used.
	ErrInvalid = errors.New("auth: not valid")
)
