package store

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"edgechat/internal/faultydisk"
)

// TestDirect is an experiment: what a commit of one message would cost on the device if the log were written past the
// page cache (O_DIRECT), in sectors in place of blocks of 4 KiB. See docs/performance.md for why the log is not.
func TestDirect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		sector, write int
		flags         int
		most          int64 // bytes a commit
	}{
		{"page cache, sectors of 512", 512, 4096, 0, 4500},
		{"O_DIRECT, sectors of 512", 512, 512, syscall.O_DIRECT, 800},
		{"O_DIRECT, sectors of 4096", 4096, 4096, syscall.O_DIRECT, 4500},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			card := faultydisk.NewSectors(t, 64<<20, c.sector)
			path := filepath.Join(card.Dir, "log")
			if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); err != nil { // as the log is, filled once
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR|c.flags, 0)
			if err != nil {
				t.Skipf("open: %v", err)
			}
			defer f.Close()
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			card.Settle()
			before := card.Stats()
			room := make([]byte, 2*4096)
			b := room[4096-int(uintptr(unsafe.Pointer(&room[0]))%4096):][:c.write] // O_DIRECT wants it aligned
			const commits = 500
			for i := range commits {
				b[0] = byte(i)
				if _, err := f.WriteAt(b, int64(i*c.write)); err != nil {
					t.Fatal(err)
				}
				if err := syscall.Fdatasync(int(f.Fd())); err != nil {
					t.Fatal(err)
				}
			}
			card.Settle()
			each := (card.Stats().Written - before.Written) / commits
			t.Logf("%d bytes a commit on the device", each)
			if each > c.most {
				t.Errorf("%d bytes a commit, want at most %d", each, c.most)
			}
		})
	}
}
