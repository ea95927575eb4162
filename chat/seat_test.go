package chat

import "testing"

// Who leaves before the acks have come gets them first: nothing of a room comes behind unsubscribed.
func TestLeaveBeforeAcks(t *testing.T) {
	r, _, let := held(t)
	c := r.many("username=Ann")
	c.Text(`{"type":"join","room":"den"}`)
	expect(t, c, "subscribed")
	expect(t, c, "joined")
	for _, frame := range []string{
		`{"type":"message","room":"den","content":"one","idempotency_key":"k1"}`, `{"type":"message","room":"den","content":"no key"}`,
		`{"type":"message","room":"den","content":"two","idempotency_key":"k2"}`,
	} {
		c.Text(frame)
		expect(t, c, "message", "room", "den")
	}
	c.Text(`{"type":"leave","room":"den"}`)
	c.Text(`{"type":"join","room":"den"}`)
	expect(t, c, "error", "code", "already_joined")
	for _, typ := range []string{"message", "typing"} {
		c.Text(`{"type":"` + typ + `","room":"den"}`)
		expect(t, c, "error", "code", "not_joined", "room", "den")
	}
	c.Text(`{"type":"leave","room":"den"}`) // which the one unsubscribed answers, too: before it he is not out
	c.Text(`{"type":"ping"}`)
	expect(t, c, "pong")
	if here := r.hub.Members("den"); len(here) != 0 {
		t.Errorf("still there: %v", here)
	}
	let()
	keys := map[any]bool{}
	for range 2 {
		keys[expect(t, c, "ack", "room", "den", "durable", true)["idempotency_key"]] = true
	}
	if !keys["k1"] || !keys["k2"] {
		t.Errorf("acks of %v", keys)
	}
	c.ExpectText(`{"type":"unsubscribed","room":"den"}`)
	c.Text(`{"type":"join","room":"den"}`)
	expect(t, c, "subscribed", "room", "den", "offset", 3.0, "members", 1.0)
	expect(t, c, "joined")
}

// Who leaves while the history is read has left at once, and gets nothing of it.
func TestLeaveBeforeSubscribed(t *testing.T) {
	r, l, let := held(t)
	r.say("den", "old")
	c := r.many("username=Ann")
	c.Text(`{"type":"join","room":"den","since":"all"}`)
	for _, typ := range []string{"message", "typing"} {
		c.Text(`{"type":"` + typ + `","room":"den","content":"early"}`)
		expect(t, c, "error", "code", "not_joined", "room", "den")
	}
	c.Text(`{"type":"join","room":"den"}`)
	expect(t, c, "error", "code", "already_joined")
	c.Text(`{"type":"leave","room":"den"}`)
	c.ExpectText(`{"type":"unsubscribed","room":"den"}`)
	c.Text(`{"type":"join","room":"den"}`)
	expect(t, c, "subscribed", "room", "den", "offset", 1.0, "members", 1.0)
	expect(t, c, "joined")
	let()
	eventually(t, "the read that nobody waits for has ended", func() bool { return l.read.Load() > 0 })
	c.Text(`{"type":"ping"}`)
	expect(t, c, "pong")
}

// No ack comes of a message that was not taken, and nobody waits for one.
func TestLeaveAfterRefusal(t *testing.T) {
	r, l, _ := held(t)
	c := r.many("username=Ann")
	c.Text(`{"type":"join","room":"den"}`)
	expect(t, c, "subscribed")
	expect(t, c, "joined")
	l.full.Store(true)
	c.Text(`{"type":"message","room":"den","content":"hi","idempotency_key":"k"}`)
	expect(t, c, "error", "room", "den", "idempotency_key", "k")
	c.Text(`{"type":"leave","room":"den"}`)
	c.ExpectText(`{"type":"unsubscribed","room":"den"}`)
}

// Whatever a client says before the history was read, subscribed comes before the answer.
func TestSubscribedBeforeAnswers(t *testing.T) {
	r, _, let := held(t)
	r.say("den", "old")
	c := r.room("den", "since=all", jsonHeader)
	c.Text(`{"type":"ping"}`)
	other := r.many("")
	for range 10 { // time enough for an answer that does not wait
		other.Text(`{"type":"ping"}`)
		expect(t, other, "pong")
	}
	let()
	expect(t, c, "subscribed", "offset", 1.0)
	for pong := false; !pong; {
		pong = c.JSON()["type"] == "pong"
	}
}
