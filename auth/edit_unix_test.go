//go:build unix

package auth

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever holds the folder's lock is waited for, and not for ever.
func TestLocked(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "tokens")
	must[string](t)(Create(path, Grant{Name: "Ann", Access: Read}))
	before := must[[]byte](t)(os.ReadFile(path))
	dir, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		t.Skipf("no locks here: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		_, err := Create(path, Grant{Name: "Bob", Access: Read})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "lock folder "+folder) {
			t.Errorf("while the folder is locked: %v", err)
		}
		if waited := time.Since(begin); waited < lockTimeout || waited > lockTimeout+time.Second {
			t.Errorf("it waited %v, want %v", waited, lockTimeout)
		}
		if now := must[[]byte](t)(os.ReadFile(path)); !bytes.Equal(now, before) {
			t.Error("the file was changed without the lock")
		}
		// It comes free while somebody waits.
		time.AfterFunc(time.Second, func() { _ = syscall.Flock(int(dir.Fd()), syscall.LOCK_UN) })
		if _, err := Create(path, Grant{Name: "Bob", Access: Read}); err != nil {
			t.Errorf("once the lock is free: %v", err)
		}
	})
	if n := len(must[[]Token](t)(List(path))); n != 2 {
		t.Errorf("%d tokens", n)
	}
}

// A line is added behind the last one, which may lack its end, and nothing else changes.
func TestCreateAddsALine(t *testing.T) {
	for _, text := range []string{"", "\n", "#", "#\n", "# a\n\n", "# a\n# b"} {
		path := write(t, text)
		must[string](t)(Create(path, Grant{Name: "Ann", Access: Read}))
		raw := string(must[[]byte](t)(os.ReadFile(path)))
		kept := text
		if text != "" && !strings.HasSuffix(text, "\n") {
			kept += "\n"
		}
		line, ok := strings.CutPrefix(raw, kept)
		if !ok || !strings.HasPrefix(line, `{"name":"Ann"`) || strings.Index(line, "\n") != len(line)-1 {
			t.Errorf("%q became %q", text, raw)
		}
		if at := must[[]Token](t)(List(path))[0].Created; at.Nanosecond() != 0 || at.Location() != time.UTC {
			t.Errorf("created at %v: whole seconds in UTC are meant for people", at)
		}
	}
}

// What is too large is no token file, and is not read to its end.
func TestTooLarge(t *testing.T) {
	path := write(t, "")
	for _, c := range []struct {
		size int64
		ok   bool
	}{{maxFile, true}, {maxFile + 1, false}, {1 << 40, false}} {
		// A comment of one line; a hole in the file takes no room.
		if err := os.WriteFile(path, []byte("#"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, c.size); err != nil {
			t.Skipf("a file of %d bytes: %v", c.size, err)
		}
		_, err := Load(path, nil)
		if c.ok && err != nil {
			t.Errorf("%d bytes: %v", c.size, err)
		}
		if !c.ok && (!errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "larger than 16 MiB") || !strings.Contains(err.Error(), path)) {
			t.Errorf("%d bytes: %v", c.size, err)
		}
	}
}
