package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// A fake server, of which these tests need the backup alone; package server's tests ask a real one.
type fake struct {
	Backend
	backup func(w io.Writer) error
}

func (f *fake) Backup(w io.Writer) error { return f.backup(w) }
func (f *fake) Status() Status           { return Status{Version: "fake"} }

func serve(t *testing.T, backend Backend) (*Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Config{Backend: backend, Level: new(slog.LevelVar), Logger: slog.New(slog.DiscardHandler)})
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		s.Close(ctx)
		<-served
	})
	return NewClient(path), path
}

// TestBackupCutShort: a backup that fails on its way is an error of whoever asked, and not a short file; one at a time is made.
func TestBackupCutShort(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	f := &fake{backup: func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte("x"), 1<<20))
		return errors.Join(err, errors.New("the card is gone"))
	}}
	c, _ := serve(t, f)
	var b bytes.Buffer
	if err := c.Backup(t.Context(), &b); err == nil {
		t.Errorf("%d bytes, and no error", b.Len())
	}
	f.backup = func(io.Writer) error { return errors.New("the card is gone") }
	if err := c.Backup(t.Context(), &b); err == nil || !strings.HasSuffix(err.Error(), "the card is gone") {
		t.Errorf("one that cannot begin: %v", err)
	}
	f.backup = func(w io.Writer) error {
		close(started)
		<-release
		_, err := io.WriteString(w, "whole")
		return err
	}
	first := make(chan error, 1)
	var whole bytes.Buffer
	go func() { first <- c.Backup(t.Context(), &whole) }()
	<-started
	if err := c.Backup(t.Context(), &b); err == nil || !strings.Contains(err.Error(), "another backup is under way") {
		t.Errorf("a second one at the same time: %v", err)
	}
	close(release)
	if err := <-first; err != nil || whole.String() != "whole" {
		t.Errorf("the first: %q, %v", whole.String(), err)
	}
}

// TestFewConns: who is connected bounds the descriptors that are taken; who comes then waits, and is served when one leaves.
func TestFewConns(t *testing.T) {
	c, path := serve(t, &fake{})
	var idle []net.Conn
	for range maxConns {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n") // and it is kept
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		idle = append(idle, conn)
	}
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Status(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more than may be connected: %v", err)
	}
	_ = idle[0].Close()
	long, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if st, err := c.Status(long); err != nil || st.Version != "fake" {
		t.Errorf("once one has left: %+v, %v", st, err)
	}
}
