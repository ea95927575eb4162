package codec

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// What DecodeRecord finds wrong with a stored record.
var (
	// ErrRecord: the bytes are no record, or a record whose body makes no sense.
	ErrRecord = errors.New("codec: not a record")
	// ErrChecksum: the bytes are not those that were written.
	ErrChecksum = errors.New("codec: record is damaged: checksum does not match")
	// ErrVersion: the record is whole, but from a version that this one cannot read.
	ErrVersion = errors.New("codec: record of an unknown version")
)

// The codes of errors that clients see, in error frames and in HTTP bodies.
const (
	CodeInvalidMessage       = "invalid_message"        // a frame or a body from a client
	CodeInvalidRoom          = "invalid_room"           // the name of a room
	CodeInvalidUsername      = "invalid_username"       // the name of a member
	CodeInvalidQuery         = "invalid_query"          // a parameter behind the "?", an id included
	CodeUnauthorized         = "unauthorized"           // no token, or one that is not valid
	CodeForbidden            = "forbidden"              // a valid identity that may not do this here
	CodeOriginNotAllowed     = "origin_not_allowed"     // a web page from elsewhere
	CodeKicked               = "kicked"                 // an operator closed the connection
	CodeNotFound             = "not_found"              // no such path
	CodeMethodNotAllowed     = "method_not_allowed"     // the path takes other methods; see Allow
	CodeTooLarge             = "too_large"              // a body or a frame over its limit
	CodeUnsupportedMediaType = "unsupported_media_type" // a body of a kind that is not taken
	CodeUpgradeRequired      = "upgrade_required"       // this path speaks WebSocket alone
	CodeBadHandshake         = "bad_handshake"          // an upgrade that breaks RFC 6455
	CodeTooManyConnections   = "too_many_connections"   // from this address
	CodeRateLimited          = "rate_limited"           // messages come too fast
	CodeTooSlow              = "too_slow"               // the client does not read what it is sent
	CodeRestarting           = "restarting"             // stopping to start again: come back with jitter
	CodeUnavailable          = "unavailable"            // full or shutting down
	CodeInternal             = "internal"               // a defect of the server; the log has more
)

// Close codes of WebSocket, from RFC 6455 section 7.4.1 and IANA's registry.
const (
	closeProtocol = 1002
	closePolicy   = 1008
	closeTooBig   = 1009
	closeInternal = 1011
	closeRestart  = 1012
	closeTryLater = 1013
)

// answers is the one table from a code to what HTTP and WebSocket say. Codes
// that it does not know are the server's own fault.
func answers(code string) (status int, closeCode uint16) {
	switch code {
	case CodeInvalidMessage, CodeInvalidRoom, CodeInvalidUsername, CodeInvalidQuery:
		return http.StatusBadRequest, closePolicy
	case CodeBadHandshake:
		return http.StatusBadRequest, closeProtocol
	case CodeUnauthorized:
		return http.StatusUnauthorized, closePolicy
	case CodeForbidden, CodeOriginNotAllowed, CodeKicked:
		return http.StatusForbidden, closePolicy
	case CodeNotFound:
		return http.StatusNotFound, closePolicy
	case CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed, closePolicy
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge, closeTooBig
	case CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType, closePolicy
	case CodeUpgradeRequired:
		return http.StatusUpgradeRequired, closePolicy
	case CodeTooManyConnections:
		return http.StatusTooManyRequests, closeTryLater
	case CodeRateLimited:
		return http.StatusTooManyRequests, closePolicy
	case CodeTooSlow, CodeUnavailable:
		return http.StatusServiceUnavailable, closeTryLater
	case CodeRestarting:
		return http.StatusServiceUnavailable, closeRestart
	}
	return http.StatusInternalServerError, closeInternal
}

// HTTPStatus returns the status that goes with code; 500 if it is not known.
func HTTPStatus(code string) int {
	status, _ := answers(code)
	return status
}

// CloseCode returns the WebSocket close code of a connection that ends for
// code; 1011 if it is not known. An invalid message does not end a connection.
func CloseCode(code string) uint16 {
	_, closeCode := answers(code)
	return closeCode
}

// An Error is a refusal that a client gets to see, as an error frame or as the
// body of an HTTP answer: Message says what was wrong and how to mend it.
type Error struct {
	Code    string // one of the constants above
	Message string // for people, in English; may quote a little of the input
	Key     string // idempotency key of the frame that is refused, if it had a valid one
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf returns an Error of code with a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// quote returns s for an error message, in quotes, cut to a length that a
// person reads: what a client sent does not come back at it in full.
func quote(s string) string {
	const most = 32
	if len(s) <= most {
		return strconv.Quote(s)
	}
	end := most
	for end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return strconv.Quote(s[:end]) + "..."
}
