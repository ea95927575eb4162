package chat

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"

	"github.com/tinylib/msgp/msgp"
)

// A told is what somebody was told, by whatever way.
type told map[string]any

// is fails unless name, wherever it stands in the frames, is verified, or is not.
func (r *rig) is(way string, frames []told, name string, verified bool) {
	r.t.Helper()
	found := 0
	for _, f := range frames {
		if f["username"] != name {
			continue
		}
		found++
		// welcome alone says it in either case.
		if got, ok := f["verified"]; verified && got != true || !verified && (got == true || ok && f["type"] != "welcome") {
			r.t.Errorf("%s: %s of %q has verified %v, %t", way, f["type"], name, got, ok)
		}
	}
	if found == 0 {
		r.t.Errorf("%s: nothing of %q in %v", way, name, frames)
	}
}

// until returns the frames of c up to one of a type, in either format.
func until(t *testing.T, c *edgetest.Client, typ string) (list []told) {
	t.Helper()
	for {
		op, payload, err := c.Read()
		if err != nil {
			t.Fatalf("waiting for %s: %v", typ, err)
		}
		var frame map[string]any
		switch op {
		case edgetest.OpText:
			err = json.Unmarshal(payload, &frame)
		case edgetest.OpBinary:
			frame, _, err = msgp.ReadMapStrIntfBytes(payload, nil)
		default:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, frame)
		if frame["type"] == typ {
			return list
		}
	}
}

// TestVerified: whoever has a token is verified by every way in which anyone is told of him, and an anonymous is by none.
func TestVerified(t *testing.T) {
	config, header := tokens(t, auth.Write, map[string]grant{"Ann": {auth.Write, nil}, "Mod": {auth.Moderate, nil}})
	r := newRig(t, config)
	watchers := map[string]*edgetest.Client{}
	for _, h := range []string{jsonHeader, msgpackHeader} {
		watchers["one room, "+h] = r.room("den", "username=Watcher&announce=0", h)
		many := edgetest.Dial(t, r.ws+"/chat?username=Watcher", h)
		many.Text(`{"type":"join","room":"den","announce":false}`)
		watchers["many rooms, "+h] = many
	}
	for way, c := range watchers {
		r.is(way, until(t, c, "subscribed"), "Watcher", false)
	}
	events := r.stream("den", "/events?username=Watcher")
	lines := r.stream("den", "/events?username=Watcher", wantLines)

	ann := r.room("den", "username=Mallory", jsonHeader, header["Ann"])
	r.is("of oneself", until(t, ann, "subscribed"), "Ann", true)
	bob := r.room("den", "username=Bob", jsonHeader)
	r.is("of oneself", until(t, bob, "subscribed"), "Bob", false)
	var ids []string
	for _, c := range []*edgetest.Client{ann, bob} {
		c.Text(`{"type":"typing"}`)
		c.Text(`{"type":"message","content":"said","idempotency_key":"k"}`)
		ack := c.JSONOf("ack")
		ids = append(ids, ack["id"].(string))
		c.Text(fmt.Sprintf(`{"type":"edit","id":%q,"content":"changed","idempotency_key":"e"}`, ack["id"]))
		c.JSONOf("ack")
	}
	// And over HTTP, where the answer tells too.
	for name, h := range map[string]string{"Ann": header["Ann"], "Bob": ""} {
		headers := []string{"X: x"}
		if h != "" {
			headers = []string{h}
		}
		for _, accept := range []string{"application/json", "application/msgpack"} {
			_, _, body := r.do("POST", "/chat/room/den/messages?username=Bob", "posted", append(headers, "Accept: "+accept)...)
			r.is("answer of POST, "+accept, framesOf(t, accept, body), name, h != "")
		}
	}
	_, _, body := r.do("PATCH", "/chat/room/den/messages/"+ids[0], "patched", header["Ann"])
	r.is("answer of PATCH", framesOf(t, "application/json", body), "Ann", true)
	_, _, body = r.do("DELETE", "/chat/room/den/messages/"+ids[1], "", header["Mod"])
	r.is("answer of DELETE", framesOf(t, "application/json", body), "Mod", true)
	if status, _, body := r.do("POST", "/chat/room/den/moderation", `{"act":"delete","id":"`+ids[0]+`"}`, header["Mod"]); status != 200 {
		t.Fatalf("%d %s", status, body)
	}

	_, _, body = r.do("GET", "/chat/room/den/members", "", header["Ann"])
	var here struct{ Members []told }
	if err := json.Unmarshal([]byte(body), &here); err != nil {
		t.Fatal(err)
	}
	r.is("members", here.Members, "Ann", true)
	r.is("members", here.Members, "Bob", false)

	ann.Close()
	bob.Close()
	live := map[string][]told{"events": events.until("left", 2), "lines": lines.until("left", 2)}
	for way, c := range watchers {
		live[way] = append(until(t, c, "left"), until(t, c, "left")...)
	}
	for way, frames := range live {
		r.is(way, frames, "Ann", true)
		r.is(way, frames, "Bob", false)
		r.is(way, frames, "Mod", true)
		for _, typ := range []string{"joined", "typing", "message", "edited", "deleted", "left"} {
			if n := count(frames, typ, "Ann", "Mod"); n == 0 {
				t.Errorf("%s: no %s", way, typ)
			}
		}
	}
	for _, accept := range []string{"application/json", "application/x-ndjson", "application/msgpack", "text/event-stream"} {
		const path = "/messages?since=all&username=Watcher"
		var frames []told
		if accept == "text/event-stream" {
			frames = r.stream("den", path, "Accept: "+accept).until("deleted", 2)
		} else {
			_, _, body := r.do("GET", "/chat/room/den"+path, "", "Accept: "+accept)
			frames = framesOf(t, accept, body)
		}
		r.is("history, "+accept, frames, "Ann", true)
		r.is("history, "+accept, frames, "Bob", false)
		r.is("history, "+accept, frames, "Mod", true)
	}
	for _, h := range []string{jsonHeader, msgpackHeader} {
		c := r.room("den", "since=all&username=Watcher", h)
		frames := append(until(t, c, "deleted"), until(t, c, "deleted")...)
		r.is("replay, "+h, frames, "Ann", true)
		r.is("replay, "+h, frames, "Bob", false)
	}
	// A poll that waits gets it as well.
	waiting := r.poll("wait=60&since=" + r.store.Head("den").String())
	r.do("POST", "/chat/room/den/messages", "at last", header["Ann"])
	r.is("a poll", framesOf(t, "application/json", (<-waiting).body), "Ann", true)
}

// count counts frames of a type and of one of these names.
func count(frames []told, typ string, names ...string) (n int) {
	for _, f := range frames {
		for _, name := range names {
			if f["type"] == typ && f["username"] == name {
				n++
			}
		}
	}
	return n
}

// framesOf returns what is in an answer: one frame, a page of them, or lines.
func framesOf(t *testing.T, media, body string) (list []told) {
	t.Helper()
	var x map[string]any
	var err error
	if media == "application/x-ndjson" {
		for line := range strings.Lines(body) {
			list = append(list, framesOf(t, "", line)...)
		}
		return list
	}
	if media == "application/msgpack" {
		x, _, err = msgp.ReadMapStrIntfBytes([]byte(body), nil)
	} else {
		err = json.Unmarshal([]byte(body), &x)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	messages, page := x["messages"].([]any)
	if !page {
		return []told{x}
	}
	for _, m := range messages {
		list = append(list, m.(map[string]any))
	}
	return list
}

// until returns the frames up to the n-th of a type.
func (x *reader) until(typ string, n int) (list []told) {
	x.t.Helper()
	for n > 0 {
		m, raw := x.next()
		if m == nil {
			x.t.Fatalf("it ended with %s before %s", raw, typ)
		}
		if list = append(list, m); m["type"] == typ {
			n--
		}
	}
	return list
}

// TestVerifiedNotClaimed: nobody makes himself verified, whatever he sends.
func TestVerifiedNotClaimed(t *testing.T) {
	for _, with := range []string{"tokens", "none"} {
		t.Run(with, func(t *testing.T) {
			var change []func(*setup)
			if with == "tokens" {
				config, _ := tokens(t, auth.Write, map[string]grant{"Ann": {auth.Write, nil}})
				change = append(change, config)
			}
			r := newRig(t, change...)
			c := r.room("den", "username=Bob&verified=true&access=moderate", jsonHeader, "Verified: true")
			frames := until(t, c, "subscribed")
			c.Text(`{"type":"typing","verified":true,"username":"Ann"}`)
			c.Text(`{"type":"message","verified":true,"username":"Ann","content":"of a frame","access":"moderate","author_key":"a","idempotency_key":"k"}`)
			id := until(t, c, "ack")
			packed := msgp.AppendMapHeader(nil, 4)
			for _, x := range [][2]any{{"type", "message"}, {"content", "packed"}, {"username", "Ann"}, {"verified", true}} {
				packed = msgp.AppendString(packed, x[0].(string))
				packed, _ = msgp.AppendIntf(packed, x[1])
			}
			c.Binary(packed)
			c.Text(fmt.Sprintf(`{"type":"edit","id":%q,"verified":true,"content":"edited","author_key":"a"}`, id[len(id)-1]["id"]))
			frames = append(append(frames, id...), until(t, c, "edited")...)
			for _, post := range [][2]string{
				{"application/json", `{"content":"x","username":"Bob","verified":true}`},
				{"application/x-www-form-urlencoded", "content=x&username=Bob&verified=true"},
				{"text/plain", "x"},
				{"application/msgpack", string(packed)},
			} {
				status, _, body := r.do("POST", "/chat/room/den/messages?username=Bob&verified=true", post[1], "Content-Type: "+post[0], "Verified: true")
				if with == "tokens" && post[0] == "application/msgpack" { // as Ann, who has a token
					if status != 409 {
						t.Errorf("%s: %d %s", post[0], status, body)
					}
					continue
				}
				frames = append(frames, framesOf(t, "", body)...)
			}
			_, _, body := r.do("GET", "/chat/room/den/messages?since=all", "")
			frames = append(frames, framesOf(t, "", body)...)
			_, _, body = r.do("GET", "/chat/room/den/members", "")
			if strings.Contains(body, "verified") {
				t.Errorf("members: %s", body)
			}
			for _, f := range frames {
				if _, ok := f["verified"]; ok || f["access"] == "moderate" || f["username"] == "Ann" && with == "tokens" {
					t.Errorf("%v", f)
				}
			}
			if len(frames) < 12 {
				t.Errorf("%d frames", len(frames))
			}
		})
	}
}

// TestMarkNotTaken: where names can be verified, nobody has a name with the mark of that in it.
func TestMarkNotTaken(t *testing.T) {
	config, header := tokens(t, auth.Write, map[string]grant{"Ann": {auth.Write, nil}})
	r := newRig(t, config)
	for _, name := range []string{"Ann \u2713", "Bob\u2713", "\u2714\ufe0f Bob", "Bob \u2705", "\u2611\ufe0f", "Bob \U00010102", "Bob \U0001fbb1"} {
		status, _, body := r.do("POST", "/chat/room/den/messages?username="+url.QueryEscape(name), "x")
		if code, _ := errorOf(body); status != 409 || code != "name_taken" {
			t.Errorf("%+q: %d %s", name, status, body)
		}
		if status, _, _ := r.do("POST", "/chat/room/den/messages?username="+url.QueryEscape(name), "x", header["Ann"]); status != 201 {
			t.Errorf("%+q, with a token: %d", name, status)
		}
	}
	if status, _, body := newRig(t).do("POST", "/chat/room/den/messages?username=%E2%9C%93", "x"); status != 201 {
		t.Errorf("where nobody has a token: %d %s", status, body)
	}
}
