package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestPortInUse(t *testing.T) {
	first := start(t, Config{})
	data := filepath.Join(t.TempDir(), "data")
	_, err := New(Config{Listen: []string{"127.0.0.1:0", first.addr(0).String()}, Data: data})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), first.addr(0).String()) {
		t.Errorf("second server on the port: %v", err)
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data folder was touched before the port was free: %v", err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	start(t, Config{Listen: []string{first.addr(0).String()}})
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sock")
	cfg := Config{Listen: []string{"unix:" + path}}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
	}}
	t.Cleanup(client.CloseIdleConnections)
	get := func() {
		t.Helper()
		resp, err := client.Get("http://chat/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s, %v", resp.Status, err)
		}
	}

	first := start(t, cfg)
	get()
	if _, err := New(Config{Listen: cfg.Listen, Data: t.TempDir()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second server on the socket: %v", err)
	}
	get() // the first one still has it
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is left over: %v", err)
	}

	// What a killed server leaves: a file that nobody listens on.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	second := start(t, cfg)
	client.CloseIdleConnections()
	get()
	client.CloseIdleConnections()
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}

	// A file that is no socket is somebody's.
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Listen: cfg.Listen, Data: t.TempDir()}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file in the way: %v", err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "precious" {
		t.Errorf("the file is now %q, %v", raw, err)
	}
}

// Somebody who is too busy to accept is still there: his socket is not stale.
func TestUnixSocketBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sock")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	full := false
	for range 10 { // Linux queues one more than the backlog
		c, err := net.Dial("unix", path)
		if err != nil {
			full = errors.Is(err, syscall.EAGAIN)
			break
		}
		defer c.Close()
	}
	if !full {
		t.Skip("this system does not refuse when the backlog is full")
	}
	if _, err := New(Config{Listen: []string{"unix:" + path}, Data: t.TempDir()}); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("a busy socket: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the busy socket was taken away: %v", err)
	}
}

func TestURLs(t *testing.T) {
	hosts := func() []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("2001:db8::5")}
	}
	for _, test := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv6unspecified, Port: 3000}, "http://localhost:3000 http://192.168.1.5:3000 http://[2001:db8::5]:3000"},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 3000}, "http://localhost:3000 http://192.168.1.5:3000"},
		{&net.TCPAddr{IP: net.ParseIP("10.0.0.1"), Port: 80}, "http://10.0.0.1:80"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 80}, "http://[fe80::1%eth0]:80"},
		{&net.UnixAddr{Name: "/run/chat.sock", Net: "unix"}, ""},
	} {
		if got := strings.Join(urls("http", test.addr, hosts), " "); got != test.want {
			t.Errorf("urls of %v: %q, want %q", test.addr, got, test.want)
		}
	}
	many := func() []netip.Addr { return make([]netip.Addr, 100) }
	if got := len(urls("http", &net.TCPAddr{IP: net.IPv6unspecified}, many)); got != maxURLs {
		t.Errorf("%d URLs of 100 interfaces, want %d", got, maxURLs)
	}
	var addrs []net.Addr
	for _, text := range []string{"2001:db8::5/64", "127.0.0.1/8", "192.168.1.5/24", "fe80::1/64", "169.254.7.7/16", "fd00::5/8", "224.0.0.1/4", "10.0.0.5/8", "::1/128"} {
		ip, subnet, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, &net.IPNet{IP: ip, Mask: subnet.Mask})
	}
	if got, want := fmt.Sprint(reachable(addrs)), "[192.168.1.5 10.0.0.5 2001:db8::5 fd00::5]"; got != want {
		t.Errorf("of %v others reach %s, want %s", addrs, got, want)
	}
	for _, ip := range localHosts() {
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			t.Errorf("%v is not where others can connect", ip)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]Config{
		"Data":           {},
		"History":        {Data: "x", History: -1},
		"HistoryBytes":   {Data: "x", HistoryBytes: -1},
		"DrainTimeout":   {Data: "x", DrainTimeout: -1},
		"MaxHeaderBytes": {Data: "x", MaxHeaderBytes: -1},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: the error %v must name %s", cfg, err, name)
		}
	}
	missing := filepath.Join(t.TempDir(), "tokens")
	if _, err := New(Config{Data: t.TempDir(), Tokens: missing}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing token file: %v", err)
	}
}
