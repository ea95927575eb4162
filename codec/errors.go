package codec

import (
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"edgechat/refusal"
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

// Why a message or a revision is not taken.
var (
	// ErrUnavailable: the message cannot be taken now, and may be later.
	ErrUnavailable = errors.New("codec: messages cannot be taken now")
	// ErrNoTarget: the message that is to be changed is not in the buffer, or was deleted.
	ErrNoTarget = errors.New("codec: no such message in the buffer")
	// ErrNotAuthor: it was said by somebody else.
	ErrNotAuthor = errors.New("codec: the message is somebody else's")
)

// An Error refuses a frame of a client.
type Error struct {
	Code    refusal.Code
	Message string // for people, in English: what was wrong and how to mend it
	Room    string // of a frame that named one, as AppendError is to say; "" leaves it out
	Key     string // idempotency key of the frame, if it had a valid one
	// RetryAfter is how long the client is to wait before it sends the frame again; 0 leaves it out.
	// It is sent in whole milliseconds, rounded up.
	RetryAfter time.Duration
}

// Error returns the code and the message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// retryAfter returns RetryAfter in milliseconds.
func (e *Error) retryAfter() int64 {
	return int64((e.RetryAfter + time.Millisecond - 1) / time.Millisecond)
}

// invalid returns a refusal of what a client sent.
func invalid(format string, args ...any) *refusal.Error {
	return refusal.Errorf(refusal.InvalidMessage, format, args...)
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
