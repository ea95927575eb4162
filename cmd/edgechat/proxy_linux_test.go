package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

var mustRun = flag.String("proxies", "", "TestProxies: names of those that must be there, else those that are")

// TestProxies runs the recipes of docs/proxy.md, with the changes that it tells of and without, and looks for what it
// says of them. Each proxy has a network of its own, in which clients have addresses.
//
//	make test PART=proxy
func TestProxies(t *testing.T) {
	if edgetest.Race || testing.Short() {
		t.Skip("the race detector sees into no proxy, and PART=proxy runs it without")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "proxy.md"))
	if err != nil {
		t.Fatal(err)
	}
	document := string(text)
	for _, p := range proxyPrograms {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(p.program); err != nil {
				if strings.Contains(" "+*mustRun+" ", " "+p.name+" ") {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			recipe := p.recipe(t, document)
			t.Run("path taken away", func(t *testing.T) {
				b := behind(t, p, recipe, "--listen", "127.0.0.1:3000", "--ping-interval", "3s")
				b.restart()
				var idle sync.WaitGroup
				idle.Go(b.survives)
				b.served()
				b.streams("http://chat.example/")
				b.streams("http://home.example/talk/")
				b.origins()
				idle.Wait()
			})
			t.Run("path passed on, unix socket", func(t *testing.T) {
				recipe := p.changed(t, document, "A unix socket", p.changed(t, document, "Below a path", recipe))
				b := behind(t, p, recipe, "--listen", "unix:FOLDER/http.sock", "--socket-mode", "0666", "--base-path", "/talk", "--ping-interval", "10m")
				b.restart()
				idle := b.join("192.0.2.20", "http://chat.example/", "idle", "Idle")
				b.served()
				if p.ends { // what the pings are for
					b.cut(idle)
				}
			})
		})
	}
}

// A proxiedServer is a server behind a proxy.
type proxiedServer struct {
	t     *testing.T
	in    *edgetest.Net
	dir   string
	args  []string
	cmd   *exec.Cmd
	log   string // the server's
	proxy *runningProxy
}

func behind(t *testing.T, p proxyProgram, recipe string, args ...string) *proxiedServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "edgechat-proxy-") // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, nobody, nobody)); err != nil {
		t.Skip("the proxies run as nobody: ", err)
	}
	b := &proxiedServer{t: t, in: edgetest.NewNet(t), dir: dir, log: filepath.Join(dir, "server"), args: []string{"serve", "--data", t.TempDir(), "--admin", filepath.Join(dir, "admin.sock"),
		"--allowed-hosts", "chat.example,home.example", "--connections-per-address", "3"}}
	for _, arg := range args {
		b.args = append(b.args, strings.ReplaceAll(arg, "FOLDER", dir))
	}
	b.startServer()
	t.Cleanup(func() { _ = b.cmd.Process.Kill(); _ = b.cmd.Wait() })
	b.proxy = p.start(t, b.in, dir, recipe)
	b.until("the server's answer through "+p.name, func() bool { return b.status("http://chat.example/healthz") == http.StatusOK })
	return b
}

func (b *proxiedServer) startServer() {
	b.t.Helper()
	b.cmd = exec.Command("edgechat", b.args...)
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer log.Close()
	b.cmd.Stderr = log
	b.in.Do(func() { err = b.cmd.Start() })
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *proxiedServer) until(what string, is func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("no %s\n%s", what, b.proxy.logs())
		}
	}
}

// ask sends a request from an address, by way of the proxy.
func (b *proxiedServer) ask(from, method, address, body string, headers ...string) (*http.Response, string, error) {
	r, err := http.NewRequest(method, strings.Replace(address, ".example/", fmt.Sprintf(".example:%d/", proxyPort), 1), strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	dial := func(context.Context, string, string) (net.Conn, error) { return b.in.DialPort(from, proxyPort) }
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// get is ask for what must be answered.
func (b *proxiedServer) get(method, address, body string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	resp, text, err := b.ask("192.0.2.10", method, address, body, headers...)
	if err != nil {
		b.t.Fatalf("%s %s: %v\n%s", method, address, err, b.proxy.logs())
	}
	return resp, text
}

// status is that of the answer to a GET, 0 if there is none.
func (b *proxiedServer) status(address string) int {
	resp, _, err := b.ask("192.0.2.10", "GET", address, "")
	if err != nil {
		return 0
	}
	return resp.StatusCode
}

// try opens a WebSocket.
func (b *proxiedServer) try(from, address string, headers ...string) *edgetest.Client {
	b.t.Helper()
	u, err := url.Parse(strings.Replace(address, ".example/", fmt.Sprintf(".example:%d/", proxyPort), 1))
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := b.in.DialPort(from, proxyPort)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	c := edgetest.NewClient(b.t, conn)
	c.Raw([]byte(edgetest.Handshake(u, append([]string{"Sec-WebSocket-Protocol: edgechat.v1.json"}, headers...)...)))
	c.ReadResponse()
	return c
}

// join is try for what must be taken.
func (b *proxiedServer) join(from, base, room, name string, headers ...string) *edgetest.Client {
	b.t.Helper()
	c := b.try(from, base+"chat/room/"+room+"?since=all&username="+name, headers...)
	if c.Response.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(c.Response.Body)
		b.t.Fatalf("%s in %s: %s %s\n%s", name, base, c.Response.Status, text, b.proxy.logs())
	}
	c.JSONOf("subscribed")
	return c
}

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
