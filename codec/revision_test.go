package codec

import (
	"errors"
	"testing"

	"edgechat/refusal"
)

// TestRefuseRevision: an edit and a delete say what they change, and an edit what it comes to.
func TestRefuseRevision(t *testing.T) {
	const missing = "id is missing; send that of the message which is to be changed"
	for text, want := range map[string]Error{
		`{"type":"edit","content":"ho","idempotency_key":"c-1"}`: {Code: refusal.InvalidMessage, Message: missing, Key: "c-1"},
		`{"type":"delete","room":"den"}`:                         {Code: refusal.InvalidMessage, Message: missing, Room: "den"},
		`{"type":"delete","id":null}`:                            {Code: refusal.InvalidMessage, Message: missing},
		`{"type":"delete","id":7}`:                               {Code: refusal.InvalidMessage, Message: "id must be a string, not a number"},
		`{"type":"delete","id":"x"}`:                             {Code: refusal.InvalidMessage, Message: `id: "x" is no message id like k3f9q2-1042: there is no "-" in it`},
		`{"type":"edit","id":"k3f9q2-1"}`:                        {Code: refusal.InvalidMessage, Message: "content is missing; send what the message is to say, or delete it"},
		`{"type":"edit","id":"k3f9q2-1","content":7}`:            {Code: refusal.InvalidMessage, Message: "content must be a string, not a number"},
		`{"type":"delete","id":"k3f9q2-1","author_key":""}`:      {Code: refusal.InvalidMessage, Message: "author_key is empty; leave it out or give it 1-64 characters"},
		`{"type":"message","author_key":"a\nb"}`:                 {Code: refusal.InvalidMessage, Message: "author_key may not hold the control character U+000A"},
		`{"type":"message","author_key":7}`:                      {Code: refusal.InvalidMessage, Message: "author_key must be a string, not a number"},
	} {
		for format, data := range map[bool][]byte{false: []byte(text), true: transcode(t, text)} {
			if format && (want.Message == missing && want.Room == "" && want.Key == "" || want.Message == "id must be a string, not a number") {
				continue // transcode knows no null, and MessagePack calls it an integer
			}
			got, err := Limits{}.DecodeClient(format, data)
			e, _ := errors.AsType[*Error](err)
			if got != (Client{}) || e == nil {
				t.Errorf("%s: got %+v, %v", text, got, err)
				continue
			}
			if !format && *e != want || e.Code != want.Code || e.Key != want.Key || e.Room != want.Room {
				t.Errorf("%s: got %+v, want %+v", text, *e, want)
			}
		}
	}
	long := make([]byte, 4*maxKey+1)
	for i := range long {
		long[i] = 'x'
	}
	if _, err := (Limits{}).DecodeClient(false, []byte(`{"type":"message","author_key":"`+string(long)+`"}`)); err == nil {
		t.Error("a key that is far too long was taken")
	}
}

// TestEmptyEdit: an edit may leave a message without content, as a message may be.
func TestEmptyEdit(t *testing.T) {
	got, err := Limits{}.DecodeClient(false, []byte(`{"type":"edit","id":"k3f9q2-1042","content":""}`))
	if err != nil || got != (Client{Type: TypeEdit, Target: alice.ID}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestClaim(t *testing.T) {
	a, b := AuthorOf("t\x00Alice"), AuthorOf("t\x00Bob")
	if a == b || a == 0 || a != AuthorOf("t\x00Alice") {
		t.Errorf("authors %x and %x", a, b)
	}
	for _, c := range []struct {
		claim  Claim
		author uint64
		want   bool
	}{
		{Claim{}, 0, false}, {Claim{}, a, false}, {Claim{Authors: [2]uint64{a}}, a, true}, {Claim{Authors: [2]uint64{a}}, 0, false},
		{Claim{Authors: [2]uint64{a}}, b, false}, {Claim{Authors: [2]uint64{a, b}}, b, true}, {Claim{All: true}, b, true}, {Claim{All: true}, 0, true},
	} {
		if got := c.claim.Covers(c.author); got != c.want {
			t.Errorf("%+v covers %x: %t", c.claim, c.author, got)
		}
	}
}
