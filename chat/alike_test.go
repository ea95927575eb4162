package chat

import (
	"fmt"
	"net/url"
	"testing"

	"edgechat/internal/edgetest"
)

// alikes are names that pass for Mallory.
var alikes = []string{"mallory", "MALLORY", "Ma11ory", "MaIIory", "M\u0430llory", "Mall\u043ery", "\uff2dallory", "\U0001d40callory"}

// TestBanOfLookAlikes: a ban goes by how a name looks. Who looks like the one that is banned is out, and not let in.
func TestBanOfLookAlikes(t *testing.T) {
	r := newRig(t)
	r.say("den", "before")
	here := make(map[string]*edgetest.Client)
	for _, name := range append(alikes, "Mallory") {
		here[name] = r.room("den", "username="+url.QueryEscape(name), jsonHeader)
		here[name].JSONOf("joined")
	}
	free := r.room("den", "username=Mallorca", jsonHeader)
	free.JSONOf("joined")
	if done := r.does(`{"act":"ban","name":"Mallory"}`); done.Closed != len(here) {
		t.Errorf("%d closed, of %d", done.Closed, len(here))
	}
	for name, c := range here {
		t.Log(name)
		closedWith(t, c, "banned", "this server")
		query := "?username=" + url.QueryEscape(name)
		for _, path := range []string{"/chat/room/den", "/chat"} {
			if c := edgetest.TryDial(t, r.ws+path+query, jsonHeader); c.Response.StatusCode != 403 {
				t.Errorf("%s as %+q: %s", path, name, c.Response.Status)
			}
		}
		status, _, body := r.do("POST", "/chat/room/den/messages", fmt.Sprintf(`{"content":"x","username":%q}`, name), "Content-Type: application/json")
		if code, _ := errorOf(body); status != 403 || code != "banned" {
			t.Errorf("POST as %+q: %d %s", name, status, body)
		}
	}
	if n := r.post("Mallorca"); n != 201 {
		t.Errorf("who looks like nobody: %d", n)
	}
	r.does(`{"act":"unban","name":"mallory"}`)
	if n := r.post("Mallory"); n != 201 {
		t.Errorf("no longer banned, and %d", n)
	}
}

// post says something under a name.
func (r *rig) post(name string) int {
	r.t.Helper()
	status, _, _ := r.do("POST", "/chat/room/den/messages?username="+url.QueryEscape(name), "x")
	return status
}

// TestMuteOfLookAlikes is the same of a mute, on connections that stay.
func TestMuteOfLookAlikes(t *testing.T) {
	r := newRig(t)
	r.does(`{"act":"mute","room":"den","name":"Mallory"}`)
	for _, name := range append(alikes, "Mallory") {
		c := r.room("den", "username="+url.QueryEscape(name), jsonHeader)
		c.Text(`{"type":"message","content":"x","idempotency_key":"k"}`)
		if m := c.JSONOf("error"); m["code"] != "muted" {
			t.Errorf("%+q: %v", name, m)
		}
		if n := r.post(name); n != 403 {
			t.Errorf("POST as %+q: %d", name, n)
		}
	}
	if n := r.post("Mallorca"); n != 201 {
		t.Errorf("who looks like nobody: %d", n)
	}
	r.does(`{"act":"unmute","room":"den","name":"MALLORY"}`)
	for _, name := range append(alikes, "Mallory") {
		if n := r.post(name); n != 201 {
			t.Errorf("%+q is not muted any more, and %d", name, n)
		}
	}
}
