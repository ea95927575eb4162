package chat

import (
	"fmt"
	"sync/atomic"
	"time"

	"edgechat/codec"
	"edgechat/limit"
	"edgechat/refusal"
	"edgechat/ws"
)

// Limits say how much one client may do. The zero value is no limit, and so is that of each field.
type Limits struct {
	Messages limit.Rate // of one connection; over HTTP, of one address
	Bytes    limit.Rate // in all frames of one connection; over HTTP, in the bodies of one address
	Joins    limit.Rate // of one address
	NewRooms limit.Rate // rooms that nobody is in and in which nothing was said, of one address
	Failures limit.Rate // tokens that are not valid, of one address
	Reads    limit.Rate // requests over HTTP for histories, members, rooms and rules, of one address

	Histories int // read at once for one address, over HTTP
	Invalid   int // frames in a row that are not valid, behind which a connection is closed
}

// DefaultLimits are those that people who talk do not notice.
func DefaultLimits() Limits {
	return Limits{
		Messages:  limit.Rate{N: 10, Burst: 30},
		Bytes:     limit.Rate{N: 32 << 10, Burst: 128 << 10},
		Joins:     limit.Rate{N: 5, Burst: 20},
		NewRooms:  limit.Rate{N: 10, Per: time.Minute, Burst: 30},
		Failures:  limit.Rate{N: 1, Per: time.Minute, Burst: 30},
		Reads:     limit.Rate{N: 20, Burst: 100},
		Histories: 2,
		Invalid:   20,
	}
}

// refusals are how many of its frames a client may have refused for its limits. Who waits as it is told, or nearly so, has
// few; who goes on all the same is closed with 1008.
var refusals = limit.Rate{N: 10, Burst: 100}

// limiters hold what clients have used of Limits.
type limiters struct {
	Limits
	clock     limit.Clock
	messages  *limit.Table // over HTTP
	bytes     *limit.Table
	joins     *limit.Table
	rooms     *limit.Table
	failures  *limit.Table
	reads     *limit.Table
	histories *limit.Counts
	counts    limitCounts
}

type limitCounts struct {
	messages, bytes, joins, newRooms, failures, reads, histories, over, invalid atomic.Uint64
}

// LimitStats are how often each limit was reached, since the start.
type LimitStats struct {
	Messages  uint64 // messages that were refused by Limits.Messages
	Bytes     uint64 // frames and bodies, by Limits.Bytes
	Joins     uint64 // joins, by Limits.Joins
	NewRooms  uint64 // joins and messages, by Limits.NewRooms
	Failures  uint64 // requests with a token, by Limits.Failures
	Reads     uint64 // requests, by Limits.Reads
	Histories uint64 // requests, by Limits.Histories
	Over      uint64 // connections that were closed since they went on sending more than they may
	Invalid   uint64 // connections that were closed by Limits.Invalid
}

func (c *limitCounts) stats() LimitStats {
	return LimitStats{
		Messages: c.messages.Load(), Bytes: c.bytes.Load(), Joins: c.joins.Load(), NewRooms: c.newRooms.Load(),
		Failures: c.failures.Load(), Reads: c.reads.Load(), Histories: c.histories.Load(), Over: c.over.Load(), Invalid: c.invalid.Load(),
	}
}

func newLimiters(l Limits) *limiters {
	return &limiters{
		Limits: l, clock: limit.NewClock(), messages: limit.NewTable(l.Messages), bytes: limit.NewTable(l.Bytes), joins: limit.NewTable(l.Joins),
		rooms: limit.NewTable(l.NewRooms), failures: limit.NewTable(l.Failures), reads: limit.NewTable(l.Reads), histories: limit.NewCounts(l.Histories),
	}
}

// A tooMuch is a rate that was reached, and how long it takes until there is more of it.
type tooMuch struct {
	what string
	rate limit.Rate
	wait time.Duration
}

// tooFast returns a tooMuch, or nil if there is no wait, and counts it.
func tooFast(what string, rate limit.Rate, wait time.Duration, count *atomic.Uint64) *tooMuch {
	if wait == 0 {
		return nil
	}
	count.Add(1)
	return &tooMuch{what, rate, wait}
}

func (m *tooMuch) String() string {
	return fmt.Sprintf("more %s than %v: try again in %d ms", m.what, m.rate, (m.wait+time.Millisecond-1)/time.Millisecond)
}

// answer is what a request is told.
func (m *tooMuch) answer() *refusal.Error {
	return refusal.New(refusal.RateLimited, m.String()).After(m.wait)
}

// frame is what a frame is told.
func (m *tooMuch) frame(msg codec.Client) *codec.Error {
	return &codec.Error{Code: refusal.RateLimited, Message: m.String(), Key: msg.Key, RetryAfter: m.wait}
}

// join counts a join of room.
func (l *limiters) join(source limit.Addr, known func() bool) *tooMuch {
	if over := tooFast("joins from this address", l.Joins, l.joins.Take(source, 1), &l.counts.joins); over != nil {
		return over
	}
	return l.newRoom(source, known)
}

// newRoom counts a room, if it is not known.
func (l *limiters) newRoom(source limit.Addr, known func() bool) *tooMuch {
	if l.NewRooms.IsZero() || source == limit.Exempt || known() {
		return nil
	}
	return tooFast("new rooms from this address", l.NewRooms, l.rooms.Take(source, 1), &l.counts.newRooms)
}

// post counts a message that came over HTTP.
func (l *limiters) post(source limit.Addr, size int) *tooMuch {
	if over := tooFast("bytes from this address", l.Bytes, l.bytes.Take(source, size), &l.counts.bytes); over != nil {
		return over
	}
	return tooFast("messages from this address", l.Messages, l.messages.Take(source, 1), &l.counts.messages)
}

// known is for join and newRoom.
func (ctl *Controller) known(room string) func() bool {
	return func() bool { return ctl.cfg.Hub.Known(room) }
}

// checkRates is the last guard of the route of one room.
func (ctl *Controller) checkRates(r *ws.Request) error {
	if ctl.cfg.Hub.Full(roomOf(r)) {
		return roomFull(roomOf(r)).After(fullWait)
	}
	if over := ctl.limits.join(r.Source(), ctl.known(roomOf(r))); over != nil {
		return over.answer()
	}
	return nil
}

// fullWait is after what time to try a full room again.
const fullWait = 30 * time.Second

func roomFull(room string) *refusal.Error {
	return refusal.Errorf(refusal.RoomFull, "room %q has as many members as it may have: try again later", room)
}

// A pace is what one connection has used of its limits. It belongs to the goroutine of that connection.
type pace struct {
	messages, bytes limit.Bucket
	refused         limit.Bucket // of refusals
}

// count counts a frame with msg, which may be of any kind. It returns what is answered to one that is too much.
func (c *client) count(msg codec.Client) *codec.Error {
	c.invalid = 0
	l := c.ctl.limits
	if l.Bytes.IsZero() && l.Messages.IsZero() {
		return nil
	}
	now := l.clock.Now()
	over := tooFast("bytes", l.Bytes, c.pace.bytes.Take(l.Bytes, c.conn.MessageSize(), now), &l.counts.bytes)
	if over == nil && isMessage(msg.Type) {
		over = tooFast("messages", l.Messages, c.pace.messages.Take(l.Messages, 1, now), &l.counts.messages)
	}
	if over == nil {
		return nil
	}
	defer c.over(now)
	return over.frame(msg)
}

// isMessage reports whether a frame is stored, if it is taken.
func isMessage(t codec.Type) bool {
	switch t {
	case codec.TypePing, codec.TypeTyping, codec.TypeJoin, codec.TypeLeave:
		return false
	}
	return true
}

// over notes that a frame was refused, and closes the connection of who goes on so.
func (c *client) over(now time.Duration) {
	if c.pace.refused.Take(refusals, 1, now) > 0 {
		c.ctl.limits.counts.over.Add(1)
		c.conn.Close(refusal.ClosePolicyViolation, "rate_limited: far more was sent than is taken, and it did not wait")
	}
}

// reject answers a frame that is not valid, and closes the connection of who sends nothing else.
func (c *client) reject(e *codec.Error) {
	l := c.ctl.limits
	now := l.clock.Now()
	if over := tooFast("bytes", l.Bytes, c.pace.bytes.Take(l.Bytes, c.conn.MessageSize(), now), &l.counts.bytes); over != nil {
		e = &codec.Error{Code: refusal.RateLimited, Message: over.String(), Room: e.Room, Key: e.Key, RetryAfter: over.wait}
		c.refuse(e)
		c.over(now)
		return
	}
	c.refuse(e)
	if c.invalid++; l.Invalid > 0 && int(c.invalid) == l.Invalid {
		l.counts.invalid.Add(1)
		c.conn.Close(refusal.ClosePolicyViolation, fmt.Sprintf("invalid_message: %d frames in a row were not valid", l.Invalid))
	}
}
