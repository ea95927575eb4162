package refusal

import (
	"slices"
	"sync/atomic"
)

// codes are all that there are, in the order of their declaration.
var codes = [...]Code{
	InvalidMessage, InvalidRoom, InvalidUsername, NameTaken, InvalidQuery, Unauthorized, TokenRevoked, Forbidden, OriginNotAllowed, Misdirected, NotFound, MethodNotAllowed,
	TooLarge, UnsupportedMediaType, UpgradeRequired, BadHandshake, NotJoined, AlreadyJoined, TooManyRooms, RateLimited, TooManyConnections, RoomFull,
	Banned, Kicked, Muted, ReadOnly, SlowMode, RoomClosed, TooManyRules, Unavailable, Internal,
}

// noStatus stands for a close frame without a code (RFC 6455 section 7.1.5), and is never on the wire.
const noStatus = 1005

// closeCodes are those that the server sends, and those that peers send in earnest.
var closeCodes = [...]uint16{
	CloseNormal, CloseGoingAway, CloseProtocolError, noStatus, CloseAbnormal, CloseInvalidData,
	ClosePolicyViolation, CloseTooBig, CloseInternalError, CloseServiceRestart, CloseTryAgainLater,
}

// Counts counts refusals by their codes. The zero value is ready; it may be used from any
// goroutine.
type Counts struct{ n [len(codes)]atomic.Uint64 }

// Add counts one. A code that does not exist counts as Internal, which it is.
func (c *Counts) Add(code Code) {
	i := slices.Index(codes[:], code)
	if i < 0 {
		i = len(codes) - 1
	}
	c.n[i].Add(1)
}

// Read returns how many there were of each code, those of which there were none included.
func (c *Counts) Read() map[Code]uint64 {
	m := make(map[Code]uint64, len(codes))
	for i := range codes {
		m[codes[i]] = c.n[i].Load()
	}
	return m
}

// CloseCounts counts ends of connections by close code. The zero value is ready; it may be
// used from any goroutine.
type CloseCounts struct {
	n [len(closeCodes) + 1]atomic.Uint64
}

// Add counts one; 0 is a close frame without a code. Codes of which a peer may choose any are counted together.
func (c *CloseCounts) Add(code uint16) {
	if code == 0 {
		code = noStatus
	}
	i := slices.Index(closeCodes[:], code)
	if i < 0 {
		i = len(closeCodes)
	}
	c.n[i].Add(1)
}

// Read returns how many there were of each code, those of which there were none included; 0
// stands for all others.
func (c *CloseCounts) Read() map[uint16]uint64 {
	m := make(map[uint16]uint64, len(closeCodes)+1)
	for i := range closeCodes {
		m[closeCodes[i]] = c.n[i].Load()
	}
	m[0] = c.n[len(closeCodes)].Load()
	return m
}
