package chat

import (
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// TestQuiet: nobody hears of a connection that is not announced, on either route, and it
// may say and read all the same.
func TestQuiet(t *testing.T) {
	r := newRig(t)
	loud := r.room("den", "username=loud", jsonHeader)
	expect(t, loud, "subscribed", "members", 1.0)
	expect(t, loud, "joined")
	one := r.room("den", "username=one&announce=0", jsonHeader)
	expect(t, one, "subscribed", "members", 1.0)
	several := r.many("username=several")
	several.Text(`{"type":"join","room":"den","announce":false}`)
	expect(t, several, "subscribed", "members", 1.0)
	for _, c := range []*edgetest.Client{one, several} {
		c.Text(`{"type":"typing","room":"den"}`)
		c.Text(`{"type":"message","room":"den","content":"hi"}`)
		for _, who := range []*edgetest.Client{loud, one, several} {
			expect(t, who, "message", "content", "hi")
		}
	}
	if members := r.hub.Members("den"); len(members) != 1 || members[0].Username != "loud" {
		t.Errorf("members: %v", members)
	}
	one.Close()
	several.Close()
	eventually(t, "both have left", func() bool { return r.hub.Stats().Quiet == 0 })
	loud.Text(`{"type":"typing"}`)
	expect(t, loud, "typing", "username", "loud")
	announced := r.room("den", "username=announced&announce=1", jsonHeader)
	expect(t, announced, "subscribed", "members", 2.0)
	c := edgetest.TryDial(t, r.ws+"/chat/room/den?announce=no")
	if c.Response.StatusCode != 400 {
		t.Errorf("announce=no: %s", c.Response.Status)
	}
}

// TestPing: a ping is answered to its sender alone, who need not offer a subprotocol, nor may write.
func TestPing(t *testing.T) {
	checker, err := auth.New(auth.Config{Anonymous: auth.Read})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(s *setup) { s.chat.Auth = checker })
	plain := r.room("den", "username=plain")
	expect(t, plain, "joined")
	plain.Text(`{"type":"ping"}`)
	plain.ExpectText(`{"type":"pong"}`)
	packed := r.room("den", "username=packed&format=msgpack")
	packed.Expect(edgetest.OpBinary)
	packed.Text(`{"type":"ping"}`)
	if p := packed.Expect(edgetest.OpBinary); string(p) != "\x81\xa4type\xa4pong" {
		t.Errorf("pong %q", p)
	}
	expect(t, plain, "joined", "username", "packed")
	r.say("den", "next")
	expect(t, plain, "message", "content", "next")
}
