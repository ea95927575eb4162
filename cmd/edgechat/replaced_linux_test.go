package main

import (
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/faultydisk"
)

// TestReplaced takes the file or the folder away under the server, or puts another in its place, as a person does who
// restores a backup without stopping, or as a card does that is pulled: what is acknowledged as durable
// from then on is there at the next start, it is loud, and nobody else has the folder meanwhile.
func TestReplaced(t *testing.T) {
	t.Parallel()
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	each := func(t *testing.T, b *board, do func(path string) error) {
		t.Helper()
		for _, path := range b.files() {
			must(t, do(path))
		}
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, b *board)
		// another may start in the folder, which is not that of the first any more
		another bool
	}{
		{"files deleted", func(t *testing.T, b *board) { each(t, b, os.Remove) }, false},
		{"files renamed", func(t *testing.T, b *board) {
			each(t, b, func(path string) error { return os.Rename(path, path+".away") })
		}, false},
		{"files replaced by copies", func(t *testing.T, b *board) {
			each(t, b, func(path string) error {
				p, err := os.ReadFile(path)
				must(t, err)
				must(t, os.WriteFile(path+".copy", p, 0o600))
				return os.Rename(path+".copy", path)
			})
		}, false},
		{"folder deleted", func(t *testing.T, b *board) { must(t, os.RemoveAll(b.data)) }, true},
		{"folder renamed", func(t *testing.T, b *board) { must(t, os.Rename(b.data, b.data+".away")) }, true},
		{"another card in its place", func(t *testing.T, b *board) {
			other := faultydisk.New(t, 64<<20)
			mountPoint := filepath.Dir(b.data)
			must(t, syscall.Mount(other.Dir, mountPoint, "", syscall.MS_BIND, ""))
			t.Cleanup(func() { _ = syscall.Unmount(mountPoint, syscall.MNT_DETACH) })
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			card := faultydisk.New(t, 64<<20)
			b := startBoard(t, card.Dir+"/data")
			for range 3 {
				if status, _ := b.post("den", "before"); status != 201 {
					t.Fatalf("before: %d", status)
				}
			}
			quiet := len(b.log.String())
			c.do(t, b)

			durable := map[string]string{}
			note := func() (status int) {
				status, m := b.post("den", time.Now().String())
				if status == 201 {
					durable[m.ID] = m.Content
				}
				return status
			}
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				note()
			}
			if !regexp.MustCompile(`level=(ERROR|WARN)`).MatchString(b.log.String()[quiet:]) {
				t.Errorf("nothing is logged:\n%s", b.log)
			}
			b.lives("afterwards")

			// Another server in the same folder meanwhile.
			second := runServe(t, nil, "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+b.data)
			ended := make(chan struct{})
			go func() { _ = second.cmd.Wait(); close(ended) }()
			select {
			case <-ended:
				if !second.log.Has("another process uses the file") {
					t.Errorf("another server in the folder:\n%s", second.log)
				}
				note()
			case <-time.After(4 * time.Second):
				if !c.another {
					t.Errorf("two servers are in one folder:\n%s", second.log)
				}
				for range 20 {
					if status := note(); status == 201 {
						t.Error("another server has the folder, and the first says that it is durable there")
						break
					}
				}
				_ = second.cmd.Process.Kill()
				<-ended
			}
			b.kill()
			b = startBoard(t, b.data)
			kept := map[string]string{}
			for _, m := range getPage(t, b.addr, "den", "?limit=300").Messages {
				kept[m.ID] = m.Content
			}
			missing := 0
			for id, content := range durable {
				if kept[id] != content {
					missing++
				}
			}
			if missing > 0 {
				t.Errorf("%d of %d messages that were durable afterwards are gone at the next start, which has %d", missing, len(durable), len(kept))
			}
			b.stop()
		})
	}
}
