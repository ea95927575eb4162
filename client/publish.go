package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const maxKey = 64 // characters (runes)

// An Ack says that a message is stored.
type Ack struct {
	ID      string
	Offset  uint64
	Durable bool // false: the server's disk takes nothing, and the message is in its memory alone
}

// An entry is a message whose acknowledgement has not come.
type entry struct {
	key  string
	text []byte    // its frame
	sent bool      // on this connection
	at   time.Time // when
	done chan outcome
}

type outcome struct {
	ack Ack
	err error
}

// finish tells Publish, which waits for one outcome.
func (e *entry) finish(ack Ack, err error) {
	select {
	case e.done <- outcome{ack, err}:
	default:
	}
}

// Publish says something, and returns once that is acknowledged. It is sent again, under the same key, over as many
// connections as it takes, and later where the server asks for patience. A *Refusal says that the
// server does not take it; with RetryAfter, not now. If ctx ends first it may have been published all the same.
//
// Messages are in the room in the order in which they are acknowledged; where that matters, say one after the other.
func (r *Room) Publish(ctx context.Context, content string) (Ack, error) {
	return r.PublishKey(ctx, rand.Text(), content)
}

// PublishKey is Publish under a key of one's own, 1 to 64 characters: the same key by the same name or token makes no second message
// while the first is in the server's buffer, also after this program has been restarted.
func (r *Room) PublishKey(ctx context.Context, key, content string) (Ack, error) {
	if most := r.Subscribed().MaxContentBytes; most > 0 && len(content) > most { // far more would close the connection
		return Ack{}, &Refusal{Code: "invalid_message", Message: fmt.Sprintf("content is longer than %d bytes", most)}
	}
	if !utf8.ValidString(content) || !utf8.ValidString(key) {
		return Ack{}, &Refusal{Code: "invalid_message", Message: "content is not valid UTF-8"}
	}
	if err := CheckKey(key); err != nil { // it would be answered without its key
		return Ack{}, &Refusal{Code: "invalid_message", Message: err.Error()}
	}
	text, err := json.Marshal(struct {
		Type    string `json:"type"`
		Content string `json:"content"`
		Key     string `json:"idempotency_key"`
	}{Message, content, key})
	if err != nil {
		return Ack{}, err
	}
	e := &entry{key: key, text: text, done: make(chan outcome, 1)}
	r.mu.Lock()
	if slices.ContainsFunc(r.pending, func(p *entry) bool { return p.key == key }) {
		r.mu.Unlock()
		return Ack{}, fmt.Errorf("client: key %q is under way", key)
	}
	r.pending = append(r.pending, e)
	r.mu.Unlock()
	r.poke()
	select {
	case o := <-e.done:
		return o.ack, o.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-r.done:
		if err = r.err; err == nil {
			err = ErrClosed
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(e)
	r.poke()
	select {
	case o := <-e.done: // at the same moment
		return o.ack, o.err
	default:
		return Ack{}, err
	}
}

// CheckKey says what is wrong with a key: it has 1 to 64 characters, none of which is a control character.
func CheckKey(key string) error {
	if n := utf8.RuneCountInString(key); n < 1 || n > maxKey || strings.ContainsFunc(key, unicode.IsControl) {
		return fmt.Errorf("a key has 1 to %d characters, and no control characters", maxKey)
	}
	return nil
}

// take returns the next frame that may be sent now, or nil. The caller holds mu.
func (r *Room) take(now time.Time) []byte {
	for under, e := range r.pending { // way
		if under >= r.window {
			return nil
		}
		if e.sent {
			continue
		}
		e.sent, e.at = true, now
		r.await()
		return e.text
	}
	return nil
}

// drop takes an entry out. The caller holds mu.
func (r *Room) drop(e *entry) {
	r.pending = slices.DeleteFunc(r.pending, func(p *entry) bool { return p == e })
	r.await()
	if len(r.pending) == 0 {
		r.window, r.pace = r.cfg.Window, 0
	}
}

// await notes since when an acknowledgement is waited for. The caller holds mu.
func (r *Room) await() {
	r.since = time.Time{}
	for _, p := range r.pending {
		if p.sent && (r.since.IsZero() || p.at.Before(r.since)) {
			r.since = p.at
		}
	}
}

// find returns the entry of a key, or nil. The caller holds mu.
func (r *Room) find(key string) *entry {
	for _, e := range r.pending {
		if e.key == key {
			return e
		}
	}
	return nil
}

// settle ends the wait for an acknowledgement.
func (r *Room) settle(key string, ack Ack) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.find(key)
	if e == nil {
		return
	}
	slow, pace := r.window == 1, r.pace // before it is the last one
	r.drop(e)
	if slow && pace > 0 {
		r.hold = time.Now().Add(pace)
	}
	e.finish(ack, nil)
	r.poke()
}

// Refused with these, the same is taken later; with others who waits for it would be told too late.
var forNow = []string{"rate_limited", "slow_mode", unavailable}

const unavailable = "unavailable"

// putOut are codes with which a moderator ends a connection. The close frame that follows may have less of the text.
var putOut = []string{"kicked", "banned", "room_closed"}

// refused handles an error frame. It returns an error if that is the end.
func (r *Room) refused(f *frame) error {
	no := &Refusal{Code: f.Code, Message: f.Message, RetryAfter: time.Duration(f.RetryAfterMs) * time.Millisecond}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.find(f.Key)
	switch {
	case e == nil && slices.Contains(putOut, f.Code):
		no.Close = closePolicy
		return no
	case e == nil:
	case no.RetryAfter > 0 && slices.Contains(forNow, f.Code):
		// It is sent again, and all others one by one behind it.
		e.sent = false
		r.window = 1
		r.await()
		if f.Code != unavailable { // then it takes all at once again
			r.pace = max(no.RetryAfter, min(r.pace, time.Second))
		}
		r.hold = time.Now().Add(no.RetryAfter)
		r.poke()
	default:
		r.drop(e)
		e.finish(Ack{}, no)
		r.poke()
	}
	return nil
}

// abandon gives up what is pending, at the end.
func (r *Room) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.err
	if err == nil {
		err = ErrClosed
	}
	for _, e := range r.pending {
		e.finish(Ack{}, err)
	}
	r.pending = nil
}
