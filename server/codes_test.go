package server

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/chat"
	"edgechat/internal/edgetest"
	"edgechat/limit"
	"edgechat/moderation"
	"edgechat/ws"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// An errorTest is a request, or a frame, that is refused with a code.
type errorTest struct {
	code    string
	status  int // 0: it comes in an error frame, on GET /chat if header is "frame"
	request string
	header  string // of the answer, that must be there; "Key" or "Key: value"
}

// TestCodes receives each code that docs/protocol.md promises, with each of its statuses, from
// servers that run. A code that is new there is missing here.
func TestCodes(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	reader, err := auth.Create(tokens, auth.Grant{Name: "Ann", Access: auth.Read, Rooms: []string{"den"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{} // "code status"
	check := func(s *running, tests []errorTest) {
		t.Helper()
		for _, test := range tests {
			if test.header == "frame" {
				c := edgetest.Dial(t, s.url+"/chat", jsonProtocol)
				c.Text(`{"type":"join","room":"den"}`)
				c.JSONOf("subscribed")
				c.Text(test.request)
				if m := c.JSONOf("error"); m["code"] != test.code || m["message"] == "" || m["room"] == nil {
					t.Errorf("%s: %v", test.request, m)
				}
				got[test.code+" frame"] = true
				continue
			}
			if test.status == 0 {
				c := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol, "Authorization: Bearer "+reader)
				c.JSONOf("subscribed")
				c.Text(test.request)
				if m := c.JSONOf("error"); m["code"] != test.code || m["message"] == "" || m["idempotency_key"] != "c-1" {
					t.Errorf("%s: %v", test.request, m)
				}
				continue
			}
			resp, body := raw(t, s, test.request)
			var answer struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != test.status || answer.Error.Code != test.code || answer.Error.Message == "" {
				t.Errorf("%.80q: %s %s, %v; want %d %s", test.request, resp.Status, body, err, test.status, test.code)
				continue
			}
			if key, want, _ := strings.Cut(test.header, ": "); key != "" && (resp.Header.Get(key) == "" || want != "" && resp.Header.Get(key) != want) {
				t.Errorf("%.80q: %s is %q", test.request, key, resp.Header.Get(key))
			}
			got[answer.Error.Code+" "+resp.Status[:3]] = true
		}
	}

	const publish = "POST /chat/room/den/messages"
	const handshake = "GET /chat/room/den\nUpgrade: websocket\nConnection: Upgrade"
	open := start(t, Config{MaxContent: 100, RoomsPerConnection: 1})
	check(open, []errorTest{
		{"invalid_message", 400, publish, ""},
		{"invalid_room", 400, "GET /chat/room/a%20b/messages", ""},
		{"invalid_username", 400, publish + "?username=%00\n\nhi", ""},
		{"invalid_query", 400, "GET /chat/room/den/messages?limit=0", ""},
		{"invalid_query", 400, "GET /chat/rooms?a;b", ""},
		{"origin_not_allowed", 403, "GET /chat/rooms\nOrigin: https://evil.example", ""},
		{"misdirected", 421, "GET /chat/rooms\nHost: evil.example", ""},
		{"not_found", 404, "GET /nowhere", ""},
		{"not_found", 404, "GET /assets/nothing.js", ""},
		{"not_found", 404, "DELETE /chat/room/den/messages/x-1", ""},
		{"method_not_allowed", 405, "DELETE /chat/rooms", "Allow"},
		{"method_not_allowed", 405, "POST /", "Allow"},
		{"too_large", 413, publish + "\n\n" + strings.Repeat("x", 100_000), ""},
		{"unsupported_media_type", 415, publish + "\nContent-Type: text/xml\n\n<hi/>", ""},
		{"upgrade_required", 426, "GET /chat/room/den", "Sec-WebSocket-Version: 13"},
		{"bad_handshake", 400, handshake + "\nSec-WebSocket-Version: 13", ""},
		{"bad_handshake", 426, handshake + "\nSec-WebSocket-Version: 8\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"},
	})
	check(open, []errorTest{
		{"bad_handshake", 400, strings.Replace(handshake, "/room/den", "", 1) + "\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ""},
		{"not_joined", 0, `{"type":"typing","room":"attic"}`, "frame"},
		{"already_joined", 0, `{"type":"join","room":"den"}`, "frame"},
		{"too_many_rooms", 0, `{"type":"join","room":"attic"}`, "frame"},
	})
	if n := open.Stats().Chat.TooManyRooms; n != 1 {
		t.Errorf("%d joins over the limit counted", n)
	}
	mixed := start(t, Config{Tokens: tokens, Anonymous: auth.Write})
	check(mixed, []errorTest{{"name_taken", 409, publish + "?username=%D0%B0nn\n\nhi", ""}}) // a Cyrillic a
	closed := start(t, Config{Tokens: tokens, Anonymous: auth.None})
	check(closed, []errorTest{
		{"unauthorized", 401, "GET /chat/rooms", "WWW-Authenticate"},
		{"forbidden", 403, publish + "\nAuthorization: Bearer " + reader + "\n\nhi", ""},
		{"forbidden", 0, `{"type":"edit","id":"x-1","content":"hi","idempotency_key":"c-1"}`, ""},
		{"forbidden", 0, `{"type":"message","content":"hi","idempotency_key":"c-1"}`, ""},
		{"invalid_message", 0, `{"type":"message","content":1,"idempotency_key":"c-1"}`, ""},
	})

	const client = "\nX-Forwarded-For: 192.0.2.1" // by a proxy on this machine
	strict := start(t, Config{Connections: ws.Limits{PerAddress: 1, Connections: 20}, Limits: chat.Limits{Messages: limit.Rate{N: 1, Per: time.Hour}}, MembersPerRoom: 1})
	if resp, body := raw(t, strict, publish+client+"\n\nhi"); resp.StatusCode != 201 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	edgetest.Dial(t, strict.url+"/chat/room/den", jsonProtocol, strings.TrimSpace(client)).JSONOf("subscribed")
	const upgrade = handshake + "\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	check(strict, []errorTest{
		{"too_many_connections", 429, strings.Replace(upgrade, "den", "attic", 1) + client, "Retry-After"},
		{"rate_limited", 429, publish + client + "\n\nhi", "Retry-After: 3600"},
		{"room_full", 503, upgrade, "Retry-After"},
	})
	for i := range 14 {
		edgetest.Dial(t, strict.url+fmt.Sprintf("/chat/room/attic-%d", i))
	}
	check(strict, []errorTest{{"too_many_connections", 503, strings.Replace(upgrade, "den", "attic", 1), "Retry-After"}})

	// A token that is taken back while its connection is open.
	revoking := filepath.Join(t.TempDir(), "tokens")
	gone, err := auth.Create(revoking, auth.Grant{Name: "Ann", Access: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	losing := start(t, Config{Tokens: revoking})
	lost := edgetest.Dial(t, losing.url+"/chat/room/den", jsonProtocol, "Authorization: Bearer "+gone)
	lost.JSONOf("subscribed")
	if err := auth.Revoke(revoking, "Ann"); err != nil {
		t.Fatal(err)
	}
	losing.Reload()
	if m := lost.JSONOf("error"); m["code"] != "token_revoked" {
		t.Errorf("%v", m)
	}
	got["token_revoked frame"] = true

	// What moderators do.
	moderated, operator := startAdmin(t, Config{ModerationRules: 5})
	do := func(act string) {
		t.Helper()
		a, err := moderation.ReadAct([]byte(act))
		if err == nil {
			_, err = operator.Moderate(t.Context(), a)
		}
		if err != nil {
			t.Fatalf("%s: %v", act, err)
		}
	}
	if resp, body := raw(t, moderated, strings.Replace(publish, "den", "slow", 1)+"?username=Ann\n\nhi"); resp.StatusCode != 201 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	do(`{"act":"ban","name":"Bob"}`)
	do(`{"act":"mute","name":"Eve"}`)
	do(`{"act":"read-only","room":"wall"}`)
	do(`{"act":"slow","room":"slow","every":"1h"}`)
	do(`{"act":"close","room":"cellar","for":"1h"}`)
	check(moderated, []errorTest{
		{"banned", 403, "GET /chat/room/den/messages?username=Bob", ""},
		{"banned", 403, upgradeAs("Bob"), ""},
		{"muted", 403, publish + "?username=Eve\n\nhi", ""},
		{"read_only", 403, strings.Replace(publish, "den", "wall", 1) + "?username=Ann\n\nhi", ""},
		{"room_closed", 403, "GET /chat/room/cellar/messages", "Retry-After"},
	})
	if resp, body := raw(t, moderated, strings.Replace(publish, "den", "slow", 1)+"?username=Ann\n\nhi"); resp.StatusCode != 201 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	check(moderated, []errorTest{{"slow_mode", 429, strings.Replace(publish, "den", "slow", 1) + "?username=Ann\n\nhi", "Retry-After: 3600"}})
	c := edgetest.Dial(t, moderated.url+"/chat?username=Ann", jsonProtocol)
	c.Text(`{"type":"join","room":"den"}`)
	c.JSONOf("subscribed")
	do(`{"act":"kick","room":"den","name":"Ann"}`)
	if m := c.JSONOf("error"); m["code"] != "kicked" || m["room"] != "den" {
		t.Errorf("kicked: %v", m)
	}
	got["kicked frame"] = true
	withMod := filepath.Join(t.TempDir(), "tokens")
	mod, err := auth.Create(withMod, auth.Grant{Name: "Mod", Access: auth.Moderate})
	if err != nil {
		t.Fatal(err)
	}
	full := start(t, Config{Tokens: withMod, ModerationRules: 1})
	act := "POST /chat/moderation\nAuthorization: Bearer " + mod + "\n\n"
	if resp, body := raw(t, full, act+`{"act":"ban","name":"Bob"}`); resp.StatusCode != 200 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	check(full, []errorTest{{"too_many_rules", 409, act + `{"act":"ban","name":"Eve"}`, ""}})

	// A disk that is gone, and a stop.
	broken := start(t, Config{})
	if status, body := post(t, broken, "den", "", "hi"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	if err := broken.store.Close(); err != nil {
		t.Fatal(err)
	}
	check(broken, []errorTest{
		{"internal", 500, "GET /chat/room/den/messages", ""},
		{"unavailable", 503, publish + "\n\nhi", "Retry-After"},
	})

	_, section, _ := strings.Cut(readFile(t, filepath.Join("..", "docs", "protocol.md")), "## 6. Error codes")
	promised := 0
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9, ]+|frame) \\|").FindAllStringSubmatch(section, -1) {
		for status := range strings.SplitSeq(row[2], ", ") {
			promised++
			if !got[row[1]+" "+status] {
				t.Errorf("docs/protocol.md promises %s with %s, and nothing here received it", row[1], status)
			}
		}
	}
	if promised != len(got) || promised == 0 {
		t.Errorf("docs/protocol.md promises %d codes with their statuses, received were %d: %v", promised, len(got), got)
	}
}

// upgradeAs is a handshake of somebody.
func upgradeAs(name string) string {
	return "GET /chat/room/den?username=" + name + "\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
}

// raw sends a request, lines of a head and then perhaps an empty one and the body, over a connection of
// its own, and returns the answer with all of its body.
func raw(t *testing.T, s *running, request string) (*http.Response, []byte) {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	line, headers, _ := strings.Cut(head, "\n")
	method, _, _ := strings.Cut(line, " ")
	text := line + " HTTP/1.1\r\n"
	if !strings.Contains("\n"+headers, "\nHost: ") {
		text += "Host: " + s.addr(0).String() + "\r\n"
	}
	if headers != "" {
		text += strings.ReplaceAll(headers, "\n", "\r\n") + "\r\n"
	}
	if method == "POST" {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	c := s.dial()
	if _, err := io.WriteString(c, text+"\r\n"+body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	return resp, answer
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
