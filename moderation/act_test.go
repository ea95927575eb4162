package moderation

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"edgechat/refusal"
)

// TestParse: what is wrong with an act is named.
func TestParse(t *testing.T) {
	for _, test := range []struct {
		body string
		want string // of the error; "" is none
	}{
		{`{"act":"kick","name":"Bob"}`, ""},
		{`{"act":"kick","name":"Bob","room":"den","reason":"x"}`, ""},
		{`{"act":"ban","address":"2001:db8::/48","for":"ever"}`, ""},
		{`{"act":"slow","room":"den","every":"10s","for":"1d"}`, ""},
		{`{"act":"slow","room":"den","off":true}`, ""},
		{`{"act":"delete","room":"den","id":"x-1"}`, ""},
		{`{"act":"shout"}`, `act is "shout": it must be one of kick, ban,`},
		{`{"act":"ban"}`, "ban needs one of identity"},
		{`{"act":"ban","name":"Bob","identity":"Bob"}`, "ban needs one of identity"},
		{`{"act":"ban","address":"nowhere"}`, `"nowhere" is not an address`},
		{`{"act":"ban","name":"Bob","for":"0s"}`, "out of range"},
		{`{"act":"ban","name":"Bob","for":"4000d"}`, "out of range"},
		{`{"act":"kick","name":"Bob","for":"1h"}`, "kick takes no for"},
		{`{"act":"close","room":"den","name":"Bob"}`, "close takes no identity, name or address"},
		{`{"act":"close"}`, "close needs a room"},
		{`{"act":"delete","room":"den"}`, "needs the id"},
		{`{"act":"open","room":"den","id":"x-1"}`, "open takes no id"},
		{`{"act":"slow","room":"den"}`, "either every"},
		{`{"act":"slow","room":"den","every":"1s","off":true}`, "either every"},
		{`{"act":"slow","room":"den","every":"2d"}`, "from 1s to 1d"},
		{`{"act":"slow","room":"den","every":"ever"}`, "from 1s to 1d"},
		{`{"act":"read-only","room":"den","off":true,"for":"1h"}`, "either off or for"},
		{`{"act":"ban","name":"Bob","off":true}`, "ban takes no off"},
		{`{"act":"kick","name":"Bob","every":"1s"}`, "kick takes no every"},
		{`{"act":"kick","name":"Bob","reason":"` + strings.Repeat("x", maxReason) + `"}`, ""},
		{`{"act":"kick","name":"Bob","reason":"` + strings.Repeat("x", maxReason+1) + `"}`, "81 bytes"},
		{`{"act":"kick","name":"Bob","reason":"a\nb"}`, "cannot be printed"},
		{`{"act":"kick","nmae":"Bob"}`, "nmae"},
		{`{"act":"kick","name":"Bob"} {}`, "behind the object"},
		{`kick`, "must be a JSON object"},
	} {
		a, err := ReadAct([]byte(test.body))
		if err == nil {
			_, err = Parse(a)
		}
		e, isRefusal := errors.AsType[*refusal.Error](err)
		if test.want == "" && err != nil || test.want != "" && (!isRefusal || e.Code != refusal.InvalidMessage || !strings.Contains(e.Message, test.want)) {
			t.Errorf("%s: %v, want %q", test.body, err, test.want)
		}
	}
}

// TestDocumentedActs: those that docs/protocol.md shows are ones.
func TestDocumentedActs(t *testing.T) {
	text, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## 10. Moderation")
	shown := 0
	for line := range strings.Lines(section) {
		if body, ok := strings.CutPrefix(line, `    {"act":`); ok && !strings.Contains(body, `"by"`) {
			shown++
			a, err := ReadAct([]byte(line))
			if err == nil {
				_, err = Parse(a)
			}
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	for i := range verbs {
		if v := "`" + string(verbs[i].verb) + "`"; !strings.Contains(section, v) {
			t.Errorf("%s is not in docs/protocol.md", v)
		}
	}
	if shown < 6 {
		t.Errorf("%d acts are shown", shown)
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "192.0.2.77/24": "192.0.2.0/24", "::ffff:192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1/120": "192.0.2.0/24",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "2001:db8:1:2:3::4/128": "2001:db8:1:2:3::4/128", "2001:db8::/48": "2001:db8::/48",
		"": "", "x": "", "fe80::1%eth0": "", "127.1.2.3": "", "::1": "", "127.0.0.0/8": "", "::ffff:0:0/95": "", "192.0.2.1/33": "",
	} {
		p, err := ParseAddress(text)
		if got := p.String(); want == "" && err == nil || want != "" && (err != nil || got != want) {
			t.Errorf("%q: %v, %v; want %q", text, p, err, want)
		}
	}
	// One of IPv4 that came over IPv6, and one with a zone.
	for ip, prefix := range map[string]string{"::ffff:192.0.2.9": "192.0.2.0/24", "fe80::1%eth0": "fe80::/10"} {
		s := Subject{Address: netip.MustParsePrefix(prefix)}
		if !s.Is(Who{Address: netip.MustParseAddr(ip)}) || s.Is(Who{Address: netip.MustParseAddr(ip), Moderator: true}) {
			t.Errorf("%s is not in %s, or a moderator is", ip, prefix)
		}
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "ever": 0, "3650d": maxSpan,
		"": -1, "7": -1, "-1h": -1, "0s": -1, "3651d": -1, "99999999999d": -1, "d": -1, "1.5d": -1,
	} {
		if d, err := ParseSpan(text); want < 0 && err == nil || want >= 0 && (err != nil || d != want) {
			t.Errorf("%q: %v, %v; want %v", text, d, err, want)
		}
	}
	for d, want := range map[time.Duration]string{
		time.Second: "1s", 59*time.Minute + 59*time.Second + 1: "1h", 90 * time.Second: "1m30s", time.Hour: "1h", 90 * time.Minute: "1h30m",
		10 * time.Minute: "10m", 24 * time.Hour: "24h", 47*time.Hour + 30*time.Minute: "47h30m", 48 * time.Hour: "2 days", 49 * time.Hour: "3 days", time.Millisecond: "1s",
	} {
		if got := ShowSpan(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
