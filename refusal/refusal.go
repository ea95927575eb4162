// Package refusal is how the server says no: the codes that programs read, the
// HTTP status of each, the one form of an HTTP answer that refuses, and the close
// codes of WebSocket. docs/protocol.md promises them.
//
// One rule for callers: a code is here because something sends it. A new one comes
// with its sender, its row in docs/protocol.md, and its case in the test of package
// server that receives them all.
package refusal

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A Code names a reason for programs. Its value is what is sent.
type Code string

const (
	InvalidMessage       Code = "invalid_message"        // a frame or a body from a client
	InvalidRoom          Code = "invalid_room"           // the name of a room
	InvalidUsername      Code = "invalid_username"       // the name of a member
	NameTaken            Code = "name_taken"             // the name of a token, or what could pass for it
	InvalidQuery         Code = "invalid_query"          // a parameter behind the "?", an id included
	Unauthorized         Code = "unauthorized"           // no token, or one that is not valid
	TokenRevoked         Code = "token_revoked"          // the token of an open connection was taken back, allows less or has expired
	Forbidden            Code = "forbidden"              // a valid identity that may not do this here, or somebody else's message
	OriginNotAllowed     Code = "origin_not_allowed"     // a web page from elsewhere
	Misdirected          Code = "misdirected"            // a Host that is not this server's
	NotFound             Code = "not_found"              // no such path, or no message that could be changed
	MethodNotAllowed     Code = "method_not_allowed"     // the path takes other methods; see Allow
	TooLarge             Code = "too_large"              // a body over its limit
	UnsupportedMediaType Code = "unsupported_media_type" // a body of a kind that is not taken
	UpgradeRequired      Code = "upgrade_required"       // this path speaks WebSocket alone
	BadHandshake         Code = "bad_handshake"          // an upgrade that breaks RFC 6455
	NotJoined            Code = "not_joined"             // a frame of a room that the connection is not in
	AlreadyJoined        Code = "already_joined"         // a join of a room that the connection is in
	TooManyRooms         Code = "too_many_rooms"         // a join of one more than a connection may be in
	RateLimited          Code = "rate_limited"           // too much in too little time; when to come back is said
	TooManyConnections   Code = "too_many_connections"   // of this address, or in all
	RoomFull             Code = "room_full"              // a join of a room that has as many members as it may
	Banned               Code = "banned"                 // a rule of a moderator: from the server, or from a room
	Kicked               Code = "kicked"                 // taken out of a room by a moderator
	Muted                Code = "muted"                  // a rule of a moderator: may read, and not write
	ReadOnly             Code = "read_only"              // a room in which moderators alone write
	SlowMode             Code = "slow_mode"              // a message too soon behind the last one, in a room that is slow
	RoomClosed           Code = "room_closed"            // a room that a moderator has closed
	TooManyRules         Code = "too_many_rules"         // an act of a moderator that would make one more than there may be
	Unavailable          Code = "unavailable"            // shutting down, or not able to take this now
	Internal             Code = "internal"               // a defect of the server; the log has more
)

// Status returns the HTTP status that goes with c. One that it does not know, or that is sent
// in frames alone, is the server's own fault.
func (c Code) Status() int {
	switch c {
	case InvalidMessage, InvalidRoom, InvalidUsername, InvalidQuery, BadHandshake:
		return http.StatusBadRequest
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden, OriginNotAllowed, Banned, Muted, ReadOnly, RoomClosed:
		return http.StatusForbidden
	case NameTaken:
		return http.StatusConflict
	case Misdirected:
		return http.StatusMisdirectedRequest
	case NotFound:
		return http.StatusNotFound
	case MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case UnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case UpgradeRequired:
		return http.StatusUpgradeRequired
	case TooManyRules:
		return http.StatusConflict
	case RateLimited, TooManyConnections, SlowMode:
		return http.StatusTooManyRequests
	case RoomFull, Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// An Error is a refusal as the client gets to see it.
type Error struct {
	Code    Code
	Message string      // for people, in English: what was wrong and how to mend it; may quote a little of the input
	Header  http.Header // added to an HTTP answer; may be nil
	Status  int         // of an HTTP answer; 0 is that of Code
}

// New returns an Error of code.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Errorf is New with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return New(code, fmt.Sprintf(format, args...))
}

// With adds a header and returns e.
func (e *Error) With(key, value string) *Error {
	if e.Header == nil {
		e.Header = make(http.Header)
	}
	e.Header.Add(key, value)
	return e
}

// After has an HTTP answer say when to come back, in whole seconds and at least one, and returns e.
func (e *Error) After(wait time.Duration) *Error {
	return e.With("Retry-After", strconv.FormatInt(int64(max(1, (wait+time.Second-1)/time.Second)), 10))
}

// Error returns the code and the message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func (e *Error) status() int {
	if e.Status != 0 {
		return e.Status
	}
	return e.Code.Status()
}
