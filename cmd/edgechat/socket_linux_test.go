package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// handed returns a listener's address, and what a service manager hands over of it.
func handed(t *testing.T) (addr string, f *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if f, err = l.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return l.Addr().String(), f
}

// unitCommand returns a command of a unit, with files of a test in the place of a board's.
func unitCommand(t *testing.T, unit, key string, files *strings.Replacer) []string {
	t.Helper()
	text, err := os.ReadFile("../../systemd/" + unit)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^` + key + `=-?/usr/bin/(edgechat .*)$`).FindSubmatch(text)
	if line == nil {
		t.Fatalf("%s has no %s", unit, key)
	}
	return strings.Fields(files.Replace(string(line[1])))
}

// TestTLSSocket: TLS is spoken on a socket that a service manager hands over by the name of docs/tls.md, and plain HTTP on one of another. What
// edgechat-renew.service runs leaves a certificate that is not due, and changes one that is renewed for those who come from then on.
func TestTLSSocket(t *testing.T) {
	docs, err := os.ReadFile("../../docs/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`FileDescriptorName=(\w+)`).FindSubmatch(docs)
	if name == nil {
		t.Fatal("docs/tls.md shows no socket")
	}
	folder := t.TempDir()
	dir, socket := filepath.Join(folder, "tls"), filepath.Join(folder, "admin.sock")
	if out, err := exec.Command("edgechat", "ca", "init", "--folder", dir, "--name", "board.local").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)

	sealed, first := handed(t)
	plain, second := handed(t)
	p := runServe(t, []*os.File{first, second}, "LISTEN_FDNAMES="+string(name[1])+":edgechat.socket", "EDGECHAT_DATA="+folder, "EDGECHAT_ADMIN="+socket,
		"EDGECHAT_TLS_CERT="+filepath.Join(dir, "server.crt"), "EDGECHAT_TLS_KEY="+filepath.Join(dir, "server.key"))
	p.await(`msg=listening addr=` + regexp.QuoteMeta(sealed) + ` url=https://`)
	p.await(`msg=listening addr=` + regexp.QuoteMeta(plain) + ` url=http://`)
	get := func(url string) *x509.Certificate {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}, Timeout: 30 * time.Second}
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(url, res.Status, err)
		}
		if res.TLS == nil {
			return nil
		}
		return res.TLS.PeerCertificates[0]
	}
	get("http://" + plain + "/healthz")
	before := get("https://" + sealed + "/healthz")

	nc, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots}}).DialContext(t.Context(), "tcp", sealed)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := edgetest.NewClient(t, nc)
	c.Raw([]byte(edgetest.Handshake(&url.URL{Host: sealed, Path: "/chat/room/den"}, "Sec-WebSocket-Protocol: edgechat.v1.json")))
	c.ReadResponse()
	c.JSONOf("subscribed")

	run := func(command []string, more ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, command[0], append(command[1:], more...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", command, err, out)
		}
		return string(out)
	}
	files := strings.NewReplacer("/var/lib/edgechat/tls", dir, "/run/edgechat/admin.sock", socket)
	renew := unitCommand(t, "edgechat-renew.service", "ExecStart", files)
	reload := unitCommand(t, "edgechat-renew.service", "ExecStartPost", files)
	if out := run(renew); !strings.Contains(out, "is not due") {
		t.Errorf("renew says: %s", out)
	}
	run(reload)
	if same := get("https://" + sealed + "/healthz"); !same.Equal(before) {
		t.Error("a certificate that was not due was changed")
	}
	if out := run(renew, "--now"); !strings.Contains(out, "was renewed until") {
		t.Errorf("renew --now says: %s", out)
	}
	run(reload)
	if after := get("https://" + sealed + "/healthz"); after.Equal(before) {
		t.Error("after a renewal the certificate is the old one")
	}
	c.Text(`{"type":"message","content":"still here"}`)
	if m := c.JSONOf("message"); m["content"] != "still here" {
		t.Errorf("%v", m)
	}
	p.signal(os.Interrupt)
	p.end()
}

// TestTLSSocketUnused: without a certificate such a socket is not listened on, which is said, and the others are.
func TestTLSSocketUnused(t *testing.T) {
	sealed, first := handed(t)
	plain, second := handed(t)
	p := runServe(t, []*os.File{first, second}, "LISTEN_FDNAMES=tls:edgechat.socket", "EDGECHAT_DATA="+t.TempDir())
	p.await(`not listened on, for want of a certificate: set --tls-cert and --tls-key.*` + regexp.QuoteMeta(sealed))
	p.await(`msg=listening addr=` + regexp.QuoteMeta(plain))
	res, err := http.Get("http://" + plain + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	p.signal(os.Interrupt)
	p.end()
}
