package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"edgechat/internal/faultydisk"
)

// TestMemoryThatPosesAsDisk has the data on file systems that do not outlive the power, as raspi-config's overlay makes them, and
// on one that does: acks say which it is, so does the log, once, and /readyz, which is no failure.
func TestMemoryThatPosesAsDisk(t *testing.T) {
	t.Parallel()
	overlay := func(t *testing.T, upper string) string {
		t.Helper()
		for _, dir := range []string{"upper", "work"} {
			if err := os.Mkdir(filepath.Join(upper, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return faultydisk.Mount(t, "overlay", "lowerdir="+t.TempDir()+",upperdir="+upper+"/upper,workdir="+upper+"/work")
	}
	hidden := func(t *testing.T) string { // as from within a container, whose layers lie outside
		seen := faultydisk.Folder(t)
		if err := syscall.Mount(faultydisk.New(t, 64<<20).Dir, seen, "", syscall.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Unmount(seen, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}()
		return overlay(t, seen)
	}
	for _, c := range []struct {
		name    string
		dir     func(t *testing.T) string
		durable bool
		advice  string // in the log
	}{
		{"tmpfs", func(t *testing.T) string { return faultydisk.Mount(t, "tmpfs", "size=64m") }, false, "name a folder on a disk"},
		{"overlay on tmpfs", func(t *testing.T) string { return overlay(t, faultydisk.Mount(t, "tmpfs", "size=64m")) }, false, "mount a disk there"},
		{"overlay of a container", hidden, false, "mount a volume"},
		{"overlay on a card", func(t *testing.T) string { return overlay(t, faultydisk.New(t, 64<<20).Dir) }, true, ""},
		{"card", func(t *testing.T) string { return faultydisk.New(t, 64<<20).Dir }, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := startBoard(t, c.dir(t)+"/data")
			status, _ := b.post("den", "x")
			status2, _ := b.post("den", "y")
			if durable := status == 201 && status2 == 201; durable != c.durable {
				t.Errorf("posts were answered with %d and %d", status, status2)
			}
			ready, body, err := b.get("/readyz", patient.Timeout)
			if err != nil || ready != 200 {
				t.Errorf("/readyz: %d %s, %v", ready, body, err)
			}
			if said := strings.Contains(body, "warning"); said == c.durable {
				t.Errorf("/readyz: %s", body)
			}
			b.stop()
			if lines := strings.Count(b.log.String(), "not durable"); (lines == 1) == c.durable || lines > 1 {
				t.Errorf("the log says so in %d lines:\n%s", lines, b.log)
			}
			if !strings.Contains(b.log.String(), c.advice) {
				t.Errorf("the log does not say %q:\n%s", c.advice, b.log)
			}
			// It does outlive the process.
			b = startBoard(t, b.data)
			if p := getPage(t, b.addr, "den", ""); len(p.Messages) != 2 {
				t.Errorf("after a restart: %+v", p)
			}
			b.stop()
		})
	}
}
