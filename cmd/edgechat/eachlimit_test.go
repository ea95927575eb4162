package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/internal/edgetest"
	"edgechat/internal/settings"
)

// A limitRow says how a limit is reached by one client, for TestEachLimit.
type limitRow struct {
	setting string
	value   string // with which it is reached soon
	counter string // in edgechat_limited_total; "" if it limits nothing
	taken   int    // times that act is let through with that value
	act     func(h *limited) string
	refused string           // what act is told then: the beginning, as bench sees it
	back    func(h *limited) // gives one place back; nil: time does
	bench   bool             // it is among what a load runs into
}

// from is what a proxy on this machine says: the address of somebody else.
const from = "X-Forwarded-For: 192.0.2.7"

var limitRows = []limitRow{
	{"connections", "16", "connections", 12, holdSocket, "503 too_many_connections", hangUp, true}, // 4 of 16 are kept from WebSockets
	{"connections-per-address", "3", "connections_per_address", 3, holdSocket, "429 too_many_connections", hangUp, true},
	{"streams", "3", "streams", 3, holdStream, "503 too_many_connections", hangUp, true},
	{"http-connections", "3", "http", 3, holdIdle, "503 too_many_connections", hangUp, true},
	{"http-per-address", "3", "http_per_address", 3, holdBody, "429 too_many_connections", hangUp, true},
	{"rate", "6/min/3", "messages", 3, sayAs(10), "rate_limited more messages", nil, true},
	{"byte-rate", "6KiB/min/2200", "bytes", 2, sayAs(1000), "rate_limited more bytes", nil, true},
	{"frame-rate", "6/min/5", "frames", 5, ping, "1008 rate_limited: more frames", comeBack, true},
	{"join-rate", "6/min/3", "joins", 3, join, "429 rate_limited more joins", nil, true},
	{"room-rate", "6/min/3", "new_rooms", 3, postAnew, "429 rate_limited more new rooms", nil, true},
	{"token-failures", "6/min/3", "failures", 3, guess, "429 rate_limited more tokens that are not valid", nil, true},
	{"read-rate", "6/min/3", "reads", 3, readRooms, "429 rate_limited more requests", nil, true},
	{"invalid-frames", "3", "invalid", 2, nonsense, "1008 invalid_message: 3 frames in a row", comeBack, false},
	{"members-per-room", "2", "members", 2, holdSocket, "503 room_full", hangUp, true},
	{"history-reads-per-address", "2", "histories", 2, holdHistory, "429 rate_limited 2 histories", hangUp, false},
	{"rooms-per-connection", "2", "rooms_per_connection", 2, joinOne, "too_many_rooms", leaveOne, false},
	{setting: "handshake-rate", counter: "handshakes"},         // before anything that a proxy could say: ws TestHandshakeRate
	{setting: "slow-per-address", counter: "slow_per_address"}, // which needs a moderator: moderation TestSlowNames
	{setting: "moderation-rules"}, // a bound for moderators, which is never off: moderation TestMost
	{setting: "trusted-proxies"},  // whom limits by address do not hold for: TestProxiedRequests, limit TestClient
}

// TestEachLimit: each limit is reached, answered and counted as documented, and given back; with 0 it is off. There is a row
// for each setting that is one, and for each counter.
func TestEachLimit(t *testing.T) {
	has := func(setting string) bool {
		return slices.ContainsFunc(limitRows, func(r limitRow) bool { return r.setting == setting })
	}
	for _, s := range new(options).limits() {
		if !has(s.Name) {
			t.Errorf("--%s has no row", s.Name)
		}
	}
	for _, r := range limitRows {
		if r.act != nil {
			t.Run(r.setting, func(t *testing.T) { t.Parallel(); r.test(t) })
		}
	}
	h := newLimited(t)
	for name := range h.counted() {
		if name != "over" && !slices.ContainsFunc(limitRows, func(r limitRow) bool { return r.counter == name }) { // over is the rate's, if nobody waits
			t.Errorf("the counter of %s has no row", name)
		}
	}
}

func (r limitRow) test(t *testing.T) {
	h := newLimited(t, "--"+r.setting, r.value)
	for i := range r.taken {
		if got := r.act(h); got != "" {
			t.Fatalf("%d of %d: %s", i, r.taken, got)
		}
	}
	told := r.act(h)
	if !strings.HasPrefix(told, r.refused) {
		t.Fatalf("over the limit: %q, want %q", told, r.refused)
	}
	hint := limitsHint(told)
	if named := strings.HasSuffix(hint, ": edgechat serve --"+r.setting+" 0"); named != r.bench {
		t.Errorf("bench says of %q: %q", told, hint)
	}
	if r.back != nil {
		r.back(h)
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) { // a place is free once the server has seen it
		if got := r.act(h); got == "" {
			break
		} else if !strings.HasPrefix(got, r.refused) || time.Now().After(end) {
			t.Fatalf("given back: %s", got)
		}
	}
	h.hangUpAll()
	if n := h.counted()[r.counter]; n < 1 {
		t.Errorf("%v counted", n)
	}

	off := newLimited(t, "--"+r.setting, "0")
	for i := range 3*r.taken + 3 {
		if got := r.act(off); got != "" {
			t.Fatalf("with 0, %d: %s", i, got)
		}
	}
	off.hangUpAll()
	if n := off.counted()[r.counter]; n != 0 {
		t.Errorf("with 0 %v counted", n)
	}
}

// A limited is a server with one limit and no other, and what a client has there.
type limited struct {
	t    *testing.T
	url  string
	held []net.Conn
	one  *edgetest.Client // for what is by connection
	n    int
}

// newLimited starts a server with these settings, and all limits off that are not among them.
func newLimited(t *testing.T, args ...string) *limited {
	t.Helper()
	var all []string
	for _, r := range limitRows {
		if r.act != nil {
			all = append(all, "--"+r.setting, "0")
		}
	}
	var o options
	table := slices.DeleteFunc(o.table(noEnv), func(s settings.Setting) bool { return s.Name == "data" })
	// Of a flag that is there twice the last counts.
	if _, _, err := settings.Resolve(table, append(append(all, "--history", "400"), args...), noEnv); err != nil {
		t.Fatal(err)
	}
	o.Tokens, o.Anonymous = filepath.Join(t.TempDir(), "tokens"), auth.Write // without tokens none is looked at
	if _, err := auth.Create(o.Tokens, auth.Grant{Name: "Ann", Access: auth.Write}); err != nil {
		t.Fatal(err)
	}
	h := &limited{t: t, url: benchServer(t, o.Config)}
	t.Cleanup(h.hangUpAll)
	return h
}

func (h *limited) hangUpAll() {
	for len(h.held) > 0 {
		hangUp(h)
	}
	if h.one != nil {
		_ = h.one.Conn.Close()
		h.one = nil
	}
}

// counted returns edgechat_limited_total, once a connection is free for that.
func (h *limited) counted() map[string]int {
	h.t.Helper()
	var err error
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var resp *http.Response
		if resp, err = http.Get(strings.Replace(h.url, "ws:", "http:", 1) + "/metrics"); err != nil {
			continue // a connection that is refused at once may be told so before it has asked, which net/http takes for an error
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if resp.StatusCode != http.StatusOK {
			continue
		}
		n := map[string]int{}
		for _, m := range regexp.MustCompile(`edgechat_limited_total\{limit="(\w+)"\} (\d+)`).FindAllStringSubmatch(string(body), -1) {
			n[m[1]], _ = strconv.Atoi(m[2])
		}
		return n
	}
	h.t.Fatalf("no metrics: %v", err)
	return nil
}

// send opens a connection, which it holds, and sends a request.
func (h *limited) send(request string) (net.Conn, *bufio.Reader) {
	h.t.Helper()
	u, _ := url.Parse(h.url)
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	_, _ = io.WriteString(c, request) // who is refused at the door may not be read from
	h.held = append(h.held, c)
	return c, bufio.NewReader(c)
}

// answer reads an answer, and what it is as bench says it, "" for one that is let in.
func (h *limited) answer(r *bufio.Reader) string {
	h.t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusUnauthorized {
		return ""
	}
	defer hangUp(h)
	if resp.Header.Get("Retry-After") == "" {
		h.t.Errorf("%s without Retry-After", resp.Status)
	}
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", body.Error.Code, " ", body.Error.Message)
}

// hangUp ends what was opened last.
func hangUp(h *limited) {
	_ = h.held[len(h.held)-1].Close()
	h.held = h.held[:len(h.held)-1]
}
