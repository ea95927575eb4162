package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/cert"
	"edgechat/internal/edgetest"
)

// local makes an authority for a test, and returns its folder.
func local(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "tls")
	if _, err := cert.Init(dir, cert.Host{Names: []string{"board.local"}, Addresses: []netip.Addr{netip.MustParseAddr("192.168.7.1")}}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func trusting(t *testing.T, dir string) *tls.Config {
	t.Helper()
	p, err := os.ReadFile(filepath.Join(dir, cert.RootCert))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p)
	return &tls.Config{RootCAs: roots}
}

func secured(t *testing.T, dir string, cfg Config) (s *Server, at string) {
	t.Helper()
	cfg.TLSListen = []string{"127.0.0.1:0"}
	cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, cert.ServerCert), filepath.Join(dir, cert.ServerKey)
	s = start(t, cfg).Server
	return s, s.secure[0].Addr().String()
}

// TestTLS: the chat, the page and the test of /trust are there over TLS, for who trusts the authority and nobody else; the
// certificate changes under open connections, which go on.
func TestTLS(t *testing.T) {
	dir := local(t)
	s, at := secured(t, dir, Config{})
	trust := trusting(t, dir)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]string{"/": "<html", "/trust": "Trust this server", "/trust/status": `"authority":true`, "/healthz": "ok"} {
		resp, err := client.Get("https://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %q, %v", path, resp.Status, body, err)
		}
	}
	if _, err := http.Get("https://" + at + "/"); err == nil {
		t.Error("a client that does not know the authority trusts it")
	}

	dial := func() *tls.Conn {
		t.Helper()
		nc, err := tls.Dial("tcp", at, trust)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		return nc
	}
	join := func(nc *tls.Conn, room, name string) *edgetest.Client {
		t.Helper()
		c := edgetest.NewClient(t, nc)
		c.Raw([]byte("GET /chat/room/" + room + "?username=" + name + " HTTP/1.1\r\nHost: " + at + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Origin: http://" + s.listeners[0].Addr().String() + "\r\n" + // the page over HTTP
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
		if c.ReadResponse(); c.Response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(c.Response.Status)
		}
		return c
	}
	old := dial()
	before := old.ConnectionState().PeerCertificates[0]
	one := join(old, "den", "one")
	if _, _, err := cert.Renew(dir, cert.Host{}, true); err != nil {
		t.Fatal(err)
	}
	s.Reload()
	fresh := dial()
	if fresh.ConnectionState().PeerCertificates[0].Equal(before) {
		t.Error("who comes now gets the old certificate")
	}
	two := join(fresh, "den", "two")
	two.Text(`{"type":"message","content":"over TLS"}`)
	for _, c := range []*edgetest.Client{one, two} {
		if m := c.JSONOf("message"); m["content"] != "over TLS" {
			t.Errorf("got %v", m)
		}
	}

	resp, err := http.Get("http://" + s.listeners[0].Addr().String() + "/trust/ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	der, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	p, _ := os.ReadFile(filepath.Join(dir, cert.RootCert))
	if block, _ := pem.Decode(p); err != nil || string(der) != string(block.Bytes) || resp.Header.Get("Content-Type") != "application/x-x509-ca-cert" {
		t.Errorf("/trust/ca.crt: %d bytes of %s, %v", len(der), resp.Header.Get("Content-Type"), err)
	}
	probe := edgetest.Dial(t, "ws://"+s.listeners[0].Addr().String()+"/trust/test")
	if code, reason := probe.ExpectClose(); code != 1000 {
		t.Errorf("/trust/test: closed with %d %s", code, reason)
	}
	if resp, err := http.Get("http://" + s.listeners[0].Addr().String() + "/trust"); err != nil || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "wss://127.0.0.1:"+at[strings.LastIndexByte(at, ':')+1:]) {
		t.Errorf("the policy of /trust: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

// TestTLSSettings: what is missing is named.
func TestTLSSettings(t *testing.T) {
	dir := local(t)
	crt, key := filepath.Join(dir, cert.ServerCert), filepath.Join(dir, cert.ServerKey)
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{TLSListen: []string{"127.0.0.1:0"}}, "needs a certificate"},
		{Config{TLSListen: []string{"127.0.0.1:0"}, TLSCert: crt}, "needs a certificate"},
		{Config{TLSCert: crt, TLSKey: key}, "no address where TLS is spoken"},
		{Config{TLSListen: []string{"127.0.0.1:0"}, TLSCert: crt, TLSKey: filepath.Join(dir, cert.RootKey)}, "are no pair"},
	} {
		c.cfg.Data, c.cfg.Listen = t.TempDir(), []string{"127.0.0.1:0"}
		if _, err := New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
