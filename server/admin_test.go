package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/admin"
	"edgechat/internal/edgetest"
	"edgechat/store"
)

// overSocket is a client of whatever HTTP a unix socket speaks.
func overSocket(t *testing.T, path string) *http.Client {
	c := &http.Client{Transport: &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
		DisableKeepAlives: true,
	}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func ask(t *testing.T, c *http.Client, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://admin"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// startAdmin is start with an admin socket.
func startAdmin(t *testing.T, cfg Config) (*running, *admin.Client) {
	t.Helper()
	cfg.Admin = filepath.Join(t.TempDir(), "admin.sock")
	return start(t, cfg), admin.NewClient(cfg.Admin)
}

func TestAdminStatus(t *testing.T) {
	s, c := startAdmin(t, Config{Version: "v9"})
	in := edgetest.Dial(t, s.url+"/chat/room/den?username=ann", jsonProtocol)
	in.JSONOf("subscribed")
	in.Text(`{"type":"message","content":"hello","idempotency_key":"k"}`)
	in.JSONOf("ack")
	var st admin.Status
	until(t, "a status with the message in it", func() (err error) {
		if st, err = c.Status(t.Context()); err == nil && (st.Messages.Delivered == 0 || st.Delivery.Count == 0) {
			err = fmt.Errorf("%+v", st)
		}
		return err
	})
	if st.Version != "v9" || st.State != "ok" || len(st.Problems) != 0 || st.PID != os.Getpid() || st.Uptime <= 0 || st.Rooms != 1 || st.Members != 1 ||
		len(st.Listeners) != 1 || st.Connections.WebSocket != 1 || st.Connections.Addresses != 1 || st.Connections.Peers[0] != (admin.Peer{Address: "127.0.0.1", Connections: 1}) {
		t.Errorf("%+v", st)
	}
	if st.Messages.Published != 1 || st.Messages.PublishedRate <= 0 || st.Commit.Count == 0 || st.Commit.P99 < st.Commit.P50 || st.Written.Log < 4096 || st.Written.Day < 4096 || st.Written.Year != 0 {
		t.Errorf("%+v", st)
	}
	if st.Process.Descriptors < 5 || st.Process.DescriptorLimit < st.Process.Descriptors || st.Process.Resident == 0 || st.Process.Heap == 0 || st.Store.Medium == "" || st.Store.Free == 0 {
		t.Errorf("%+v %+v", st.Process, st.Store)
	}
	var page strings.Builder
	if _, err := st.WriteTo(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"v9, up ", "127.0.0.1 (1)", "1 WebSocket", "everyone who can connect may read and write", "99 of 100 within", "too early to say what a year will be;"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.String())
		}
	}
	if !s.log.Has(`msg=access who="everyone who can connect may read and write" tokens=0`) {
		t.Errorf("a start does not say who may come in:\n%s", s.log)
	}

	in.Text(`{"type":"message","content":"again"}`)
	until(t, "room with two messages", func() error {
		rooms, err := c.Rooms(t.Context(), 10*time.Millisecond)
		if err == nil && (len(rooms) != 1 || rooms[0].Name != "den" || rooms[0].Members != 1 || rooms[0].Messages != 2) {
			err = fmt.Errorf("%+v", rooms)
		}
		return err
	})
	room, err := c.Room(t.Context(), "den")
	if err != nil || !room.Live || len(room.Who) != 1 || room.Who[0].Username != "ann" || room.ID == "" || room.Oldest == "" {
		t.Errorf("%+v, %v", room, err)
	}
	if _, err := c.Room(t.Context(), "attic"); err == nil || !strings.Contains(err.Error(), `nobody is in room "attic"`) {
		t.Errorf("a room that is not there: %v", err)
	}
	if _, err := c.Room(t.Context(), "a/b"); err == nil || !strings.Contains(err.Error(), `may not hold '/'`) {
		t.Errorf("what can be no room: %v", err)
	}
}

// TestAdminRooms: the busiest comes first.
func TestAdminRooms(t *testing.T) {
	s, c := startAdmin(t, Config{})
	ends, done := make(chan struct{}), make(chan struct{})
	quiet := edgetest.Dial(t, s.url+"/chat/room/a-quiet-one")
	busy := edgetest.Dial(t, s.url+"/chat/room/busy")
	go func() { // until ends
		defer close(done)
		for {
			select {
			case <-ends:
				return
			case <-time.After(2 * time.Millisecond):
				_, _ = busy.Conn.Write(edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"x"}`)))
			}
		}
	}()
	until(t, "a busy room", func() error {
		rooms, err := c.Rooms(t.Context(), 50*time.Millisecond)
		if err == nil && (len(rooms) != 2 || rooms[0].Name != "busy" || rooms[0].Rate <= 0 || rooms[1].Rate != 0) {
			err = fmt.Errorf("%+v", rooms)
		}
		return err
	})
	close(ends)
	<-done
	_ = quiet.Conn.Close()
}

// TestAdminActs: what changes something is done, and logged with who asked for it.
func TestAdminActs(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("# nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	level := new(slog.LevelVar)
	s, c := startAdmin(t, Config{Tokens: tokens, Level: level})
	l, err := c.SetLevel(t.Context(), "debug")
	if err != nil || l != (admin.Level{Level: "debug", Before: "info"}) || level.Level() != slog.LevelDebug {
		t.Errorf("%+v, %v, level %v", l, err, level.Level())
	}
	if _, err := c.SetLevel(t.Context(), "loud"); err == nil || !strings.Contains(err.Error(), "must be debug, info, warn or error") {
		t.Errorf("a level that does not exist: %v", err)
	}
	r, err := c.Reload(t.Context())
	if err != nil || r != (admin.Reloaded{Path: tokens}) {
		t.Errorf("%+v, %v", r, err)
	}
	if err := os.WriteFile(tokens, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), tokens) {
		t.Errorf("a broken token file: %v", err)
	}
	if st, err := c.Status(t.Context()); err != nil || len(st.Warnings) != 1 || st.Warnings[0].Code != "tokens" || !strings.Contains(st.Warnings[0].Message, tokens+":1") || !strings.Contains(s.Status(), "tokens not reloaded, the old ones stay: ") {
		t.Errorf("and the status does not say so: %+v, %v, %s", st.Warnings, err, s.Status())
	}
	if err := os.WriteFile(tokens, []byte("# nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(t.Context()); err != nil || strings.Contains(s.Status(), "not reloaded") {
		t.Errorf("once it is mended: %v, %s", err, s.Status())
	}
	who := fmt.Sprintf(`by="uid %d gid %d pid %d"`, os.Getuid(), os.Getgid(), os.Getpid())
	for _, want := range []string{"msg=admin act=log-level " + who + " level=debug before=info", "act=reload " + who, "msg=access who=\"who has a token may do what it allows, and nobody else anything\""} {
		if !s.log.Has(want) {
			t.Errorf("the log lacks %s:\n%s", want, s.log)
		}
	}
	raw := overSocket(t, s.cfg.Admin)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/nothing", "", 404, "docs/operations.md"},
		{"POST", "/status", "", 404, ""},
		{"GET", "/rooms?for=1h", "", 400, "up to 10s"},
		{"GET", "/debug/pprof/goroutine?debug=1", "", 200, "goroutine profile"},
		{"GET", "/debug/pprof/", "", 200, "profile?seconds=30"},
		{"GET", "/debug/pprof/heap?gc=1", "", 200, "\x1f\x8b"},
		{"GET", "/debug/pprof/profile?seconds=1", "", 200, "\x1f\x8b"},
		{"GET", "/debug/pprof/trace?seconds=1", "", 200, "go 1."},
		{"GET", "/debug/pprof/heap?seconds=1", "", 400, "pprof -base"},
		{"GET", "/debug/pprof/profile?seconds=x", "", 400, "from 0 to 600"},
		{"GET", "/debug/pprof/nothing", "", 404, "lists them"},
		{"GET", "/debug/trace", "", 404, "start it with POST"},
		{"POST", "/debug/trace", "", 204, ""},
		{"GET", "/debug/trace", "", 200, "go 1."},
		{"DELETE", "/debug/trace", "", 204, ""},
		{"GET", "/debug/trace", "", 404, ""},
	} {
		if status, body := ask(t, raw, c.method, c.path, c.body); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %.200q", c.method, c.path, status, body)
		}
	}
	for _, path := range []string{"/debug/pprof/", "/debug/trace", "/status", "/backup", "/log-level"} {
		if resp, _ := fetch(t, "GET", s.url+path); resp.StatusCode != 404 {
			t.Errorf("%s is served where everyone can connect: %s", path, resp.Status)
		}
	}
}

// TestAdminBackup: a backup that is made while messages come is whole, and holds what was acked before it began.
func TestAdminBackup(t *testing.T) {
	s, c := startAdmin(t, Config{History: 100_000})
	in := edgetest.Dial(t, s.url+"/chat/room/den?username=ann", jsonProtocol)
	in.JSONOf("subscribed")
	for i := range 20 {
		in.Text(fmt.Sprintf(`{"type":"message","content":"%d","idempotency_key":"%[1]d"}`, i))
		in.JSONOf("ack")
	}
	var b bytes.Buffer
	if err := c.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if report, err := store.Check(path); err != nil || report.Messages != 20 || len(report.Problems) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if !s.log.Has("msg=admin act=backup by=") {
		t.Errorf("the backup was not logged:\n%s", s.log)
	}
}

// TestSocketMode: a unix socket has the mode that was asked for from when it is there, whatever the umask; a dead
// one is replaced, a living one refused.
func TestSocketMode(t *testing.T) {
	for _, c := range []struct{ mode, want fs.FileMode }{{0, 0o660}, {0o666, 0o666}, {0o600, 0o600}} {
		folder := t.TempDir()
		chat := filepath.Join(folder, "chat.sock")
		s, client := startAdmin(t, Config{Listen: []string{"unix:" + chat}, SocketMode: c.mode})
		for _, path := range []string{chat, s.cfg.Admin} {
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != c.want {
				t.Errorf("mode %v: %s: %v, %v", c.mode, path, st.Mode(), err)
			}
		}
		_, err := New(Config{Listen: []string{"127.0.0.1:0"}, Data: t.TempDir(), Admin: s.cfg.Admin})
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), s.cfg.Admin) {
			t.Errorf("a second server at the admin socket: %v", err)
		}
		if _, err := client.Status(t.Context()); err != nil {
			t.Errorf("and then the first one: %v", err)
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if _, err := client.Status(t.Context()); !errors.Is(err, admin.ErrNoServer) || !strings.Contains(err.Error(), s.cfg.Admin) {
			t.Errorf("after the stop: %v", err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.cfg.Admin, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		again := start(t, Config{Admin: s.cfg.Admin})
		if _, err := client.Status(t.Context()); err != nil {
			t.Errorf("where a killed server was: %v", err)
		}
		_ = again.stop()
	}
	if _, err := New(Config{Data: t.TempDir(), SocketMode: 0o4755 | fs.ModeSetuid}); err == nil || !strings.Contains(err.Error(), "SocketMode") {
		t.Errorf("a mode that is none: %v", err)
	}
}

func until(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("there is no %s: %v", what, err)
}
