package chat

import (
	"errors"
	"testing"

	"edgechat/codec"
	"edgechat/hub"
)

// A lateLog finds after Append that a message is not taken, as one that other machines have a say in does.
type lateLog struct {
	hub.Log
	err error
}

func (l *lateLog) Append(room string, m codec.Message, key string, done codec.Done) error {
	if done.Tell != nil {
		go done.Tell(codec.Receipt{Err: l.err})
	}
	return nil
}

func (l *lateLog) Revise(room string, m codec.Message, claim codec.Claim, key string, done codec.Done) error {
	return l.Append(room, m, key, done)
}

// TestLateRefusals: who publishes is told that it was not taken after all, with a key or without one, in a frame or
// in an answer; also that there is nothing to be changed.
func TestLateRefusals(t *testing.T) {
	for _, x := range []struct {
		err    error
		code   string
		status int
	}{
		{errors.New("the engine has not answered"), "unavailable", 503},
		{codec.ErrNoTarget, "not_found", 404},
	} {
		r := newRig(t, func(s *setup) {
			s.log = func(l hub.Log) hub.Log { return &lateLog{l, x.err} }
			s.chat.Late = true
		})
		c := r.room("den", "username=Ann", jsonHeader)
		expect(t, c, "subscribed")
		expect(t, c, "joined")
		c.Text(`{"type":"message","content":"x","idempotency_key":"k"}`)
		expect(t, c, "error", "code", x.code, "idempotency_key", "k")
		c.Text(`{"type":"message","content":"x"}`)
		expect(t, c, "error", "code", x.code)
		many := r.many("username=Bob")
		many.Text(`{"type":"join","room":"hall"}`)
		expect(t, many, "subscribed")
		expect(t, many, "joined")
		many.Text(`{"type":"message","room":"hall","content":"x"}`)
		expect(t, many, "error", "code", x.code, "room", "hall")
		many.Text(`{"type":"message","room":"hall","content":"x","idempotency_key":"k"}`)
		expect(t, many, "error", "code", x.code, "room", "hall", "idempotency_key", "k")

		status, h, body := r.do("POST", "/chat/room/den/messages", "hello", "Content-Type: text/plain")
		if code, _ := errorOf(body); status != x.status || code != x.code || (status == 503) != (h.Get("Retry-After") != "") {
			t.Errorf("POST: %d %v %s", status, h, body)
		}
	}
}
