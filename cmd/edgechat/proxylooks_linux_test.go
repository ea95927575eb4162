package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"edgechat/internal/edgetest"
)

// served is all that holds for each setup.
func (b *proxiedServer) served() {
	b.t.Helper()
	for _, base := range []string{"http://chat.example/", "http://home.example/talk/"} {
		b.serves(base)
		b.limits(base)
		b.tokens(base)
	}
	b.slash()
	b.told()
}

// serves: the page and all that it names, WebSockets, publishing and history are there below base.
func (b *proxiedServer) serves(base string) {
	b.t.Helper()
	for _, page := range []string{"", "room/den", "room/caf%C3%A9"} {
		b.loads(base+page, "text/html", map[string]bool{})
	}
	room := "café-" + strings.Split(base, "/")[2]
	messages := base + "chat/room/" + url.PathEscape(room) + "/messages"
	alice := b.join("192.0.2.11", base, url.PathEscape(room), "Alice")
	alice.Text(`{"type":"message","content":"from Alice","idempotency_key":"k"}`)
	alice.JSONOf("ack")
	resp, text := b.get("POST", messages+"?username=nas", "from a script", "Content-Type: text/plain")
	if resp.StatusCode != http.StatusCreated {
		b.t.Errorf("POST below %s: %s %s", base, resp.Status, text)
	}
	if m := alice.JSONOf("message"); m["content"] != "from a script" {
		b.t.Errorf("Alice sees %v", m)
	}
	resp, text = b.get("GET", messages, "", "Accept: application/x-ndjson")
	if lines := strings.Split(strings.TrimSpace(text), "\n"); resp.StatusCode != http.StatusOK || len(lines) != 2 ||
		!strings.Contains(lines[0], `"from Alice"`) || !strings.Contains(lines[1], `"from a script"`) {
		b.t.Errorf("the history below %s is %s %q", base, resp.Status, text)
	}
	if _, text := b.get("GET", base+"chat/rooms", ""); !strings.Contains(text, `"`+room+`"`) {
		b.t.Errorf("the rooms below %s are %s", base, text)
	}
	if resp, text := b.get("GET", base+"metrics", ""); resp.StatusCode == http.StatusOK {
		b.t.Errorf("the metrics answer a proxy: %.80s", text)
	}
	alice.Conn.Close()
}

var (
	pageLink   = regexp.MustCompile(`(?:href|src)="([^"#]+)"`)
	scriptLink = regexp.MustCompile(`(?m)^import .* from '([^']+)'`)
)

// loads follows the links of a page and the imports of its scripts, as a browser does.
func (b *proxiedServer) loads(address, contentType string, seen map[string]bool) {
	b.t.Helper()
	if seen[address] {
		return
	}
	seen[address] = true
	resp, text := b.get("GET", address, "")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), contentType) {
		b.t.Errorf("%s: %s %v", address, resp.Status, resp.Header)
		return
	}
	here, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	links := scriptLink.FindAllStringSubmatch(text, -1)
	if contentType == "text/html" {
		links = pageLink.FindAllStringSubmatch(text, -1)
		if len(links) < 3 {
			b.t.Fatalf("%s has the links %q", address, links)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, fmt.Sprintf(" ws://%s:%d ", here.Host, proxyPort)) {
			b.t.Errorf("%s: the policy does not name the host that the browser sees: %s", address, csp)
		}
	}
	for _, link := range links {
		u, err := here.Parse(link[1])
		if err != nil || strings.HasPrefix(link[1], "/") {
			b.t.Errorf("%s links to %s: %v", address, link[1], err)
			continue
		}
		want := map[string]string{".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[filepath.Ext(u.Path)]
		b.loads(u.String(), want, seen)
	}
}

// slash: the path alone leads to the page.
func (b *proxiedServer) slash() {
	b.t.Helper()
	resp, _ := b.get("GET", "http://home.example/talk", "")
	to, err := resp.Location()
	if err != nil || resp.StatusCode != http.StatusPermanentRedirect || to.Path != "/talk/" || !strings.HasPrefix(to.Host, "home.example") {
		b.t.Errorf("/talk leads to %v, %s, %v", to, resp.Status, err)
	}
}

// limits: the server knows each client's address, whatever the client says about it.
func (b *proxiedServer) limits(base string) {
	b.t.Helper()
	claims := [][]string{nil, {"X-Forwarded-For: 127.0.0.1"}, {"Forwarded: for=127.0.0.1"}, {"X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 198.51.100.2"},
		{"X-Forwarded-For: 198.51.100.1", "Forwarded: for=198.51.100.1"}, {"X-Real-IP: 127.0.0.1", "Forwarded: for=192.0.2.12"}}
	var in []*edgetest.Client
	for i := range 3 {
		in = append(in, b.join("192.0.2.12", base, "limits", "Mallory", claims[i]...))
	}
	for _, claim := range claims {
		if c := b.try("192.0.2.12", base+"chat/room/limits", claim...); c.Response.StatusCode != http.StatusTooManyRequests || c.Response.Header.Get("Retry-After") == "" {
			b.t.Errorf("%s: a fourth WebSocket of an address that says %q is answered %s", base, claim, c.Response.Status)
		}
	}
	in = append(in, b.join("192.0.2.13", base, "limits", "Bob", "X-Forwarded-For: 192.0.2.12"))

	out, err := exec.Command("edgechat", "admin", "kick", "--admin", filepath.Join(b.dir, "admin.sock"), "--room", "limits", "--name", "Mallory", "--json").Output()
	var kicked struct {
		Closed    int
		Addresses []string
	}
	if err := errors.Join(err, json.Unmarshal(out, &kicked)); err != nil || kicked.Closed != 3 || len(kicked.Addresses) != 1 || kicked.Addresses[0] != "192.0.2.12" {
		b.t.Errorf("%s: a kick of three that come from 192.0.2.12 says %s, %v", base, out, err)
	}
	for i, c := range in[:3] {
		if code, reason := c.ExpectClose(); code != 1008 || !strings.HasPrefix(reason, "kicked") {
			b.t.Errorf("%s: connection %d is closed with %d %q", base, i, code, reason)
		}
		c.Conn.Close()
	}
	in[3].Conn.Close()
	b.until("end of all", func() bool {
		_, text := b.get("GET", base+"chat/room/limits/members", "")
		return strings.Contains(text, `"members":[]`)
	})
}

// told is what the server logs of whom it has refused and closed: it is the client, and the proxy in no line.
func (b *proxiedServer) told() {
	b.t.Helper()
	log, err := os.ReadFile(b.log)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, want := range []string{`msg=refused code=too_many_connections addr=192\.0\.2\.12 `, `msg=closed code=1008 reason="kicked.*" addr=192\.0\.2\.12 `} {
		if !regexp.MustCompile(want).Match(log) {
			b.t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	if line := regexp.MustCompile(`(?m)^.*msg=(refused|closed) .*addr=(127|@|").*$`).Find(log); line != nil {
		b.t.Errorf("who was refused is the proxy: %s", line)
	}
}

// origins: what the browser sees as its own host is the server's.
func (b *proxiedServer) origins() {
	b.t.Helper()
	own := fmt.Sprintf("Origin: http://chat.example:%d", proxyPort)
	b.join("192.0.2.14", "http://chat.example/", "origins", "Ann", own).Conn.Close()
	for _, foreign := range []string{"Origin: http://evil.example", "Origin: http://chat.example", "Origin: null"} {
		if c := b.try("192.0.2.14", "http://chat.example/chat/room/origins", foreign); c.Response.StatusCode != http.StatusForbidden {
			b.t.Errorf("%s is answered %s", foreign, c.Response.Status)
		}
	}
}

// restart: the server goes and comes behind the proxy, whose clients are told, and lose nothing.
func (b *proxiedServer) restart() {
	b.t.Helper()
	base := "http://home.example/talk/"
	c := b.join("192.0.2.15", base, "restart", "Ann")
	c.Text(`{"type":"message","content":"before","idempotency_key":"k"}`)
	c.JSONOf("ack")
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatal(err)
	}
	if code, _ := c.ExpectClose(); code != 1012 {
		b.t.Errorf("the clients are told %d", code)
	}
	c.Conn.Close()
	if err := b.cmd.Wait(); err != nil {
		b.t.Errorf("the server ends with %v", err)
	}
	// Also what a proxy logs of a server that is away has no token.
	if resp, _, err := b.ask("192.0.2.15", "GET", base+"chat/rooms?token="+secretToken, ""); err == nil && resp.StatusCode != http.StatusBadGateway && resp.StatusCode != http.StatusServiceUnavailable {
		b.t.Errorf("without a server the proxy answers %s", resp.Status)
	}
	b.startServer()
	b.until("WebSocket after a restart", func() bool {
		c := b.try("192.0.2.15", base+"chat/room/restart?since=all")
		if c.Response.StatusCode != http.StatusSwitchingProtocols {
			c.Conn.Close()
			return false
		}
		if m := c.JSONOf("message"); m["content"] != "before" {
			b.t.Errorf("after the restart the history begins with %v", m)
		}
		c.Conn.Close()
		return true
	})
}

const secretToken = "nobody-may-read-this"

// tokens: nothing that the proxy logs has a token, wherever a client may put it; and it does log.
func (b *proxiedServer) tokens(base string) {
	b.t.Helper()
	b.get("GET", base+"chat/rooms?token="+secretToken+"&x=1", "")
	b.get("GET", base+"chat/rooms", "", "Authorization: Bearer "+secretToken)
	room := "tokens-" + strings.Split(base, "/")[2]
	b.try("192.0.2.16", base+"chat/room/"+room+"?username=Ann&token="+secretToken, "Sec-WebSocket-Protocol: bearer."+secretToken).Conn.Close()
	b.until("line in the log for "+room, func() bool { return strings.Contains(b.proxy.logs(), room) })
	logs := b.proxy.logs()
	for line := range strings.Lines(logs) {
		if strings.Contains(line, secretToken) {
			b.t.Errorf("a token is in the logs: %s", line)
		}
	}
	if !strings.Contains(logs, "192.0.2.16") {
		b.t.Errorf("the logs do not say who asks:\n%s", logs)
	}
}

// survives: a client that says nothing but its pongs is there long after the proxy's limit for silence.
func (b *proxiedServer) survives() {
	idle := b.try("192.0.2.20", "http://chat.example/chat/room/idle?username=Idle")
	began, pings := time.Now(), 0
	for time.Since(began) < 5*proxySilence*time.Second/2 {
		op, payload, err := idle.Read()
		if err != nil {
			b.t.Errorf("a client with pings is cut after %v and %d pings: %v\n%s", time.Since(began), pings, err, b.proxy.logs())
			return
		}
		if op == edgetest.OpPing {
			pings++
			idle.Raw(edgetest.Frame(edgetest.OpPong, payload))
		}
	}
	if pings == 0 {
		b.t.Error("nobody has pinged")
	}
}

// cut: one who gets no pings is not.
func (b *proxiedServer) cut(idle *edgetest.Client) {
	b.t.Helper()
	if code, reason := idle.ExpectClose(); code != 1006 || strings.Contains(reason, "timeout") {
		b.t.Errorf("a client without pings ends with %d %s", code, reason)
	}
}
