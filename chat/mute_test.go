package chat

import (
	"fmt"
	"testing"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// TestMuteSlowReadOnly: who may not write is told why, over WebSocket and HTTP, and reads on; moderators write.
func TestMuteSlowReadOnly(t *testing.T) {
	r, header := moderated(t)
	bob := r.room("den", "username=Bob", jsonHeader)
	ann := r.room("den", "", jsonHeader, header["Ann"])
	mod := r.room("den", "", jsonHeader, header["Mod"])
	many := edgetest.Dial(t, r.ws+"/chat?username=Bob", jsonHeader)
	many.Text(`{"type":"join","room":"den"}`)
	for _, c := range []*edgetest.Client{bob, ann, mod, many} {
		c.JSONOf("subscribed")
	}
	n := 0
	says := func(c *edgetest.Client, want string) map[string]any {
		t.Helper()
		n++
		c.Text(fmt.Sprintf(`{"type":"message","room":"den","content":"x","idempotency_key":"k%d"}`, n))
		kind := "ack"
		if want != "" {
			kind = "error"
		}
		m := c.JSONOf(kind)
		if want != "" && (m["code"] != want || m["idempotency_key"] != fmt.Sprintf("k%d", n)) {
			t.Errorf("message %d: %v, want %s", n, m, want)
		}
		return m
	}
	posts := func(want int, code string, headers ...string) {
		t.Helper()
		status, h, body := r.do("POST", "/chat/room/den/messages?username=Bob", "hi", headers...)
		if got, _ := errorOf(body); status != want || got != code || want == 429 && h.Get("Retry-After") == "" {
			t.Errorf("POST: %d %v %s, want %d %s", status, h, body, want, code)
		}
	}
	r.does(`{"act":"mute","room":"den","name":"Bob","for":"10m"}`)
	if m := says(bob, "muted"); m["retry_after_ms"].(float64) < 500*1000 {
		t.Errorf("%v", m)
	}
	if m := says(many, "muted"); m["room"] != "den" {
		t.Errorf("%v", m)
	}
	bob.Text(`{"type":"typing"}`)
	bob.JSONOf("error")
	posts(403, "muted")
	if status, _, _ := r.do("GET", "/chat/room/den/messages?username=Bob", ""); status != 200 {
		t.Errorf("who is muted reads %d", status)
	}
	id := says(ann, "")["id"].(string)
	r.does(`{"act":"unmute","room":"den","name":"Bob"}`)
	says(bob, "")
	r.does(`{"act":"mute","identity":"Ann"}`)
	says(ann, "muted")
	ann.Text(`{"type":"delete","id":"` + id + `"}`)
	ann.JSONOf("error")
	posts(403, "muted", header["Ann"])
	r.does(`{"act":"unmute","identity":"Ann"}`)

	r.does(`{"act":"read-only","room":"den"}`)
	says(bob, "read_only")
	says(ann, "read_only")
	says(mod, "")
	posts(403, "read_only")
	r.does(`{"act":"read-only","room":"den","off":true}`)
	says(bob, "")

	r.does(`{"act":"slow","room":"den","every":"1h"}`)
	says(bob, "")
	if m := says(bob, "slow_mode"); m["retry_after_ms"].(float64) < 3500*1000 {
		t.Errorf("%v", m)
	}
	says(many, "slow_mode") // the same name, from the same address
	posts(429, "slow_mode")
	says(ann, "")
	says(ann, "slow_mode")
	says(mod, "")
	says(mod, "")
	r.does(`{"act":"slow","room":"den","every":"2h"}`)
	says(bob, "slow_mode")
	r.does(`{"act":"slow","room":"den","off":true}`)
	says(bob, "")
	s := r.stats().Moderation
	for _, code := range []refusal.Code{refusal.Muted, refusal.ReadOnly, refusal.SlowMode} {
		if s.Refused[code] < 3 {
			t.Errorf("%s: %d counted", code, s.Refused[code])
		}
	}
}
