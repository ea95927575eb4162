package chat

import (
	"fmt"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// TestStanding: subscribed says what one may do in the room, and by which rule nothing is taken at this time, by each way of joining; and
// what it says is so.
func TestStanding(t *testing.T) {
	config, header := tokens(t, auth.Read, map[string]grant{
		"Reader": {auth.Read, nil}, "Ann": {auth.Write, nil}, "Mod": {auth.Moderate, nil}, "Lab": {auth.Moderate, []string{"lab*"}}, "Root": {auth.Admin, nil},
	})
	r := newRig(t, config)
	header["Guest"] = "X: x"
	r.does(`{"act":"read-only","room":"notices"}`)
	r.does(`{"act":"mute","room":"den","identity":"Ann"}`)
	for _, c := range []struct{ name, room, access, refused string }{
		{"Guest", "den", "read", ""},
		{"Guest", "notices", "read", "read_only"},
		{"Reader", "den", "read", ""},
		{"Ann", "attic", "write", ""},
		{"Ann", "notices", "write", "read_only"},
		{"Ann", "den", "write", "muted"},
		{"Mod", "den", "moderate", ""},
		{"Mod", "notices", "moderate", ""},
		{"Lab", "lab-1", "moderate", ""},
		{"Root", "notices", "moderate", ""},
	} {
		check := func(way string, m map[string]any) {
			t.Helper()
			refused, _ := m["refused"].(string)
			if m["access"] != c.access || refused != c.refused {
				t.Errorf("%s in %s, %s: access %v, refused %q; want %s, %q", c.name, c.room, way, m["access"], refused, c.access, c.refused)
			}
			if _, ok := m["refused"]; ok && c.refused == "" {
				t.Errorf("%s in %s, %s: it has an empty refused", c.name, c.room, way)
			}
		}
		for _, h := range []string{jsonHeader, msgpackHeader} {
			check(h, until(t, r.room(c.room, "", h, header[c.name]), "subscribed")[0])
		}
		check("plain, with a replay", r.room(c.room, "since=all", header[c.name]).JSONOf("subscribed"))
		many := edgetest.Dial(t, r.ws+"/chat", jsonHeader, header[c.name])
		many.Text(fmt.Sprintf(`{"type":"join","room":%q}`, c.room))
		check("many", many.JSONOf("subscribed"))
		check("events", r.stream(c.room, "/events", header[c.name]).of("subscribed"))
		check("lines", r.stream(c.room, "/events", header[c.name], wantLines).of("subscribed"))

		many.Text(fmt.Sprintf(`{"type":"message","room":%q,"content":"x","idempotency_key":"k"}`, c.room))
		m := many.JSON()
		for m["type"] != "ack" && m["type"] != "error" {
			m = many.JSON()
		}
		if taken := m["type"] == "ack"; taken != (c.access != "read" && c.refused == "") || c.access != "read" && !taken && m["code"] != c.refused {
			t.Errorf("%s in %s writes: %v", c.name, c.room, m)
		}
		status, _, _ := r.do("GET", "/chat/room/"+c.room+"/moderation", "", header[c.name])
		if (status == 200) != (c.access == "moderate") {
			t.Errorf("%s in %s asks for the rules: %d", c.name, c.room, status)
		}
	}
	before := r.stats().Moderation.Refused
	r.does(`{"act":"read-only","room":"notices","off":true}`)
	r.does(`{"act":"unmute","room":"den","identity":"Ann"}`)
	for _, room := range []string{"notices", "den"} {
		if m := r.room(room, "", jsonHeader, header["Ann"]).JSONOf("subscribed"); m["access"] != "write" || m["refused"] != nil {
			t.Errorf("the rule of %s has ended: %v", room, m)
		}
	}
	if after := r.stats().Moderation.Refused; fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("who joined was refused nothing, and it was counted: %v, then %v", before, after)
	}
}
