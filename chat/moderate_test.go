package chat

import (
	"encoding/json"
	"strings"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
	"edgechat/moderation"
	"edgechat/refusal"
)

// operator is who acts at the admin socket.
var operator = Moderator{By: "uid 0", Name: "admin"}

// does has an act done, which must be.
func (r *rig) does(act string) moderation.Done {
	r.t.Helper()
	a, err := moderation.ReadAct([]byte(act))
	if err != nil {
		r.t.Fatal(err)
	}
	done, err := r.chat.Moderate(r.t.Context(), operator, a)
	if err != nil {
		r.t.Fatalf("%s: %v", act, err)
	}
	return done
}

// refuses has one refused with a code.
func (r *rig) refuses(act string, code refusal.Code, want string) {
	r.t.Helper()
	a, err := moderation.ReadAct([]byte(act))
	if err == nil {
		_, err = r.chat.Moderate(r.t.Context(), operator, a)
	}
	if e, ok := err.(*refusal.Error); !ok || e.Code != code || !strings.Contains(e.Message, want) {
		r.t.Errorf("%s: %v, want %s with %q", act, err, code, want)
	}
}

// closedWith fails unless c is told why and closed with 1008.
func closedWith(t *testing.T, c *edgetest.Client, code, text string) {
	t.Helper()
	if m := c.JSONOf("error"); m["code"] != code || !strings.Contains(m["message"].(string), text) {
		t.Errorf("an error frame %v, want %s with %q", m, code, text)
	}
	if n, reason := c.ExpectClose(); n != 1008 || !strings.HasPrefix(reason, code+": ") {
		t.Errorf("closed with %d %q, want 1008 %s", n, reason, code)
	}
}

// moderated is a rig with tokens: Mod moderates, Ann writes, Lab moderates rooms that begin with lab.
func moderated(t *testing.T) (r *rig, header map[string]string) {
	t.Helper()
	config, header := tokens(t, auth.Write, map[string]grant{"Mod": {auth.Moderate, nil}, "Ann": {auth.Write, nil}, "Lab": {auth.Moderate, []string{"lab*"}}})
	return newRig(t, config), header
}

// TestModeratorOverHTTP: an identity with access moderate acts in its rooms, and nobody else does.
func TestModeratorOverHTTP(t *testing.T) {
	r, header := moderated(t)
	bob := r.room("lab-1", "username=Bob", jsonHeader)
	bob.JSONOf("subscribed")
	const ban = `{"act":"ban","name":"Bob","for":"7d"}`
	for _, test := range []struct {
		who, path, body string
		status          int
		code            string
	}{
		{"", "/chat/room/lab-1/moderation", ban, 401, "unauthorized"},
		{"Ann", "/chat/room/lab-1/moderation", ban, 403, "forbidden"},
		{"Lab", "/chat/room/den/moderation", ban, 403, "forbidden"},
		{"Lab", "/chat/moderation", ban, 403, "forbidden"},
		{"Lab", "/chat/room/lab-1/moderation", `{"act":"ban","name":"Bob","room":"den"}`, 400, "invalid_message"},
		{"Lab", "/chat/room/lab-1/moderation", `{"act":"ban","nmae":"Bob"}`, 400, "invalid_message"},
		{"Lab", "/chat/room/lab-1/moderation", ban + strings.Repeat(" ", moderation.MaxAct), 413, "too_large"},
		{"Lab", "/chat/room/lab-1/moderation", ban, 200, ""},
		{"Mod", "/chat/moderation", `{"act":"mute","identity":"Ann"}`, 200, ""},
	} {
		var headers []string
		if test.who != "" {
			headers = append(headers, header[test.who])
		}
		status, _, body := r.do("POST", test.path, test.body, headers...)
		if code, _ := errorOf(body); status != test.status || code != test.code {
			t.Errorf("%s %s %.80s: %d %s, want %d %s", test.who, test.path, test.body, status, body, test.status, test.code)
		}
	}
	closedWith(t, bob, "banned", "for another 7 days")
	var list struct{ Rules []moderation.Rule }
	for path, want := range map[string]int{"/chat/room/lab-1/moderation": 1, "/chat/moderation": 2} {
		status, _, body := r.do("GET", path, "", header["Mod"])
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 || len(list.Rules) != want || list.Rules[0].By != "token Lab" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _, _ := r.do("GET", "/chat/room/lab-1/moderation", "", header["Ann"]); status != 403 {
		t.Errorf("Ann sees the rules: %d", status)
	}
	// Who moderates is not kept out by a name or an address, but by his token.
	r.does(`{"act":"ban","name":"Lab"}`)
	lab := r.room("lab-1", "", jsonHeader, header["Lab"])
	lab.JSONOf("subscribed")
	if c := edgetest.TryDial(t, r.ws+"/chat/room/den?username=Lab"); c.Response.StatusCode != 409 {
		t.Errorf("the name without the token: %s", c.Response.Status)
	}
	r.does(`{"act":"ban","identity":"Lab"}`)
	closedWith(t, lab, "banned", "")
	if status, _, _ := r.do("POST", "/chat/room/lab-1/moderation", `{"act":"unban","identity":"Lab"}`, header["Lab"]); status != 403 {
		t.Errorf("who is banned acts: %d", status)
	}
}
