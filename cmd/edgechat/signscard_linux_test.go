package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/faultydisk"
)

// cardSigns are those of cards that fail, hang, are late, full, read-only or no cards.
func cardSigns() []sign {
	return []sign{
		{
			fault: "a write or a flush fails", name: "writes fail",
			befall: func(t *testing.T) *shown {
				return onFaulty(t, faultydisk.Write, faultydisk.Fault{Err: syscall.EIO})
			},
			log:     []string{`level=ERROR msg="store degraded"`, `level=ERROR msg="something is wrong" code=store`},
			page:    []string{`^state +degraded$`, `^store .*NOT on the card: in memory alone$`, `^PROBLEM: store: .*messages are in memory alone since`, `^  to do: .*(card|dmesg)`, `^  waiting +[1-9]`},
			metrics: []string{`^edgechat_store_degraded 1$`, `^edgechat_store_commit_failures_total [1-9]`, `^edgechat_store_pending_messages [1-9]`},
		},
		{
			fault: "a write or a flush fails", name: "flushes fail",
			befall: func(t *testing.T) *shown {
				return onFaulty(t, faultydisk.Flush, faultydisk.Fault{Err: syscall.EIO})
			},
			log:     []string{`level=ERROR msg="store degraded"`, `level=ERROR msg="something is wrong" code=store`},
			page:    []string{`^state +degraded$`, `^PROBLEM: store: .*messages are in memory alone since`},
			metrics: []string{`^edgechat_store_degraded 1$`, `^edgechat_store_retries_total [1-9]`},
		},
		{
			fault: "the card hangs", name: "hangs",
			befall: func(t *testing.T) *shown {
				b := onFaulty(t, faultydisk.Flush, faultydisk.Fault{Hang: true})
				return b
			},
			log:     []string{`level=ERROR msg="something is wrong" code=store what="store: .*the disk has not answered for`},
			page:    []string{`^state +degraded$`, `^PROBLEM: store: .*the disk has not answered for`, `^  waiting +[1-9]\d* messages for the card, and [1-9]`},
			metrics: []string{`^edgechat_store_degraded 1$`, `^edgechat_store_receipts_waiting [1-9]`},
		},
		{
			fault: "the card hangs", name: "reads hang",
			befall: func(t *testing.T) *shown {
				card := faultydisk.New(t, 128<<20)
				first := startBoard(t, card.Dir+"/data")
				first.say("old", filler(500)...)
				first.stop()
				b := startShown(t, first.data)
				evict(card, b.board)
				card.Set(faultydisk.Read, faultydisk.Fault{Hang: true})
				b.refresh = func() { go func() { _, _, _ = b.get("/chat/room/old/messages?limit=300", time.Minute) }() }
				t.Cleanup(card.Mend)
				return b
			},
			log:     []string{`level=WARN msg="something is wrong" code=reads`},
			page:    []string{`^warning: the card does not answer: in the last minute [1-9]\d* requests for older messages`, `^  to do: .*dmesg`},
			metrics: []string{`^edgechat_store_late_reads_total [1-9]`},
		},
		{
			fault: "a flush takes 200 to 600 ms", name: "late",
			befall: func(t *testing.T) *shown {
				return onFaulty(t, faultydisk.Flush, faultydisk.Fault{Delay: 200 * time.Millisecond, Upto: 600 * time.Millisecond})
			},
			log:     []string{`level=WARN msg="something is wrong" code=late`},
			page:    []string{`^commit +half within (250ms|500ms|1s|2\.5s)`, `^warning: the card is late: half of the last \d+ commits`, `^  to do: edgechat doctor measures it`},
			metrics: []string{`^edgechat_commit_seconds_sum [1-9]`},
		},
		{
			fault: "the card is full", name: "full",
			befall: func(t *testing.T) *shown {
				card := faultydisk.New(t, 64<<20)
				b := startShown(t, card.Dir+"/data")
				fillFolder(t, card.Dir)
				big := strings.Repeat("x", 4000)
				b.refresh = func() {
					for range 200 {
						b.shout("den", big)
					}
				}
				return b
			},
			log:     []string{`level=ERROR msg="store degraded" .*no space left`, `level=ERROR msg="something is wrong" code=store`},
			page:    []string{`^state +degraded$`, `^PROBLEM: store: .*no space left`, `^  to do: make room on the file system of `},
			metrics: []string{`^edgechat_store_degraded 1$`, `^edgechat_store_commit_failures_total [1-9]`},
		},
		{
			fault: "the file system is read-only", name: "read-only",
			befall: func(t *testing.T) *shown {
				card := faultydisk.New(t, 64<<20)
				first := startBoard(t, card.Dir+"/data")
				first.say("den", "before")
				first.stop()
				dir := faultydisk.Folder(t)
				if err := syscall.Mount(card.Dir, dir, "", syscall.MS_BIND, ""); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
				if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
					t.Fatal(err)
				}
				return startShown(t, dir+"/data")
			},
			log:     []string{`level=ERROR msg="store degraded" .*read-only file system`, `level=ERROR msg="something is wrong" code=store`},
			page:    []string{`^state +degraded$`, `^PROBLEM: store: .*read-only file system`, `^  to do: the file system of .* is read-only`},
			metrics: []string{`^edgechat_store_degraded 1$`, `^edgechat_store_retries_total [1-9]`},
		},
		{
			fault: "the card takes nothing for long, and ever new rooms are talked in", name: "ever new rooms",
			befall: func(t *testing.T) *shown {
				b := onFaulty(t, faultydisk.Write, faultydisk.Fault{Err: syscall.EIO}, "EDGECHAT_HISTORY_BYTES=1MiB")
				var talkers sync.WaitGroup
				for i := range 4 {
					talkers.Go(func() {
						for n := range 3000 { // 10,000 are remembered
							b.shout(fmt.Sprint("room", i, "-", n), "x")
						}
					})
				}
				talkers.Wait()
				return b
			},
			log:     []string{`level=ERROR msg="store degraded"`, `level=ERROR msg="something is wrong" code=store`},
			page:    []string{`^state +degraded$`, `^PROBLEM: store: .*messages are in memory alone since`},
			metrics: []string{`^edgechat_store_degraded 1$`, `^edgechat_store_rooms_forgotten_total [1-9]`},
		},
		{
			fault: "the data folder is memory that poses as a disk", name: "tmpfs",
			befall: func(t *testing.T) *shown {
				dir := t.TempDir()
				if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
					t.Skipf("mount -t tmpfs: %v", err)
				}
				t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
				return startShown(t, dir+"/data")
			},
			log:     []string{`level=WARN msg="store not durable"`, `level=WARN msg="something is wrong" code=store`},
			page:    []string{`^state +ok$`, `^store .*NOT on the card: in memory alone$`, `^medium +tmpfs`, `^warning: store: .*messages do not survive a power cut`},
			metrics: []string{`^edgechat_store_volatile 1$`, `^edgechat_store_degraded 0$`},
		},
	}
}

// onFaulty is a server whose card has this fault, and to which somebody says something each second.
func onFaulty(t *testing.T, op faultydisk.Op, f faultydisk.Fault, env ...string) *shown {
	t.Helper()
	card := faultydisk.New(t, 64<<20)
	b := startShown(t, card.Dir+"/data", env...)
	card.Set(op, f)
	b.refresh = func() { go b.shout("den", "hello") }
	t.Cleanup(card.Mend)
	return b
}

// shout is post for what may get any answer, or none.
func (b *board) shout(room, content string) {
	resp, err := patient.Post("http://"+b.addr+"/chat/room/"+room+"/messages?username=x", "text/plain", strings.NewReader(content))
	if err == nil {
		resp.Body.Close()
	}
}

// revoked asks with a token.
func (b *board) revoked(token string) (status int) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.addr+"/chat/room/den/messages", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := patient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// remove takes all that the server keeps messages in.
func (b *board) remove() {
	b.t.Helper()
	for _, path := range b.files() {
		if err := os.Remove(path); err != nil {
			b.t.Fatal(err)
		}
	}
}
