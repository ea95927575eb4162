package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/faultydisk"
)

// TestCardUnread: a card does not give a page that is read from it, and takes no new file, so that the history can neither be looked at
// nor made anew; then it is well again. What is written to it from then on is counted right: the next start finds it whole.
func TestCardUnread(t *testing.T) {
	card := faultydisk.New(t, 64<<20)
	s := open(t, Config{Path: filepath.Join(card.Dir, "edgechat.db"), RetryDelay: 2 * time.Second})
	for i := range 200 {
		say(t, s, fmt.Sprint("room", i%20), "x")
	}
	sayFolded(t, s, "den", "said before", "")
	if err := os.MkdirAll(filepath.Join(s.newPath(), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	from, to := card.Where(s.cfg.Path, scanned(t, s).messages[100].pos)
	card.Evict(os.Getpid(), s.cfg.Path)
	card.Set(faultydisk.Read, faultydisk.Fault{Err: syscall.EIO, From: from, To: to})
	t.Cleanup(card.Mend)
	readPage(t, s, "room0", codec.Query{}) // which finds that it cannot be read
	eventually(t, "it cannot be made anew", func() bool { return s.Warning() != nil && strings.Contains(s.Warning().Error(), "salvage") })

	card.Mend()
	eventually(t, "the log is written", func() bool { return sayStored(t, s, "hall", "said after", "").Durable })
	foldNow(t, s)
	closeStore(t, s)
	check(t, s.cfg.Path)
}
