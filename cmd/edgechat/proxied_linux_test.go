package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

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
