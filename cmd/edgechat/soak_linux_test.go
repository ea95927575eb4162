package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgechat/admin"
	"edgechat/auth"
	"edgechat/codec"
	"edgechat/internal/faultydisk"
	"edgechat/store"
)

var soak = flag.Duration("soak", 0, "how long TestSoak goes on; 0 leaves it out")

// TestSoak has everything happen to one server at once, for long: people come and go, publish, read too slowly or not at all,
// a hundred come back together, clients are restarted and go on from where they were, its card hangs, is late and is full, tokens
// are changed and read again, backups are made. After a fifth of the time, 30 s at least if that is not more than half, when every
// buffer has been filled, all of it pauses, and at the end: heap, goroutines, descriptors and memory are then what they were in
// the pause. make soak does 30 minutes.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("-soak says how long: make soak")
	}
	card := faultydisk.New(t, 128<<20)
	tokens, socket := filepath.Join(t.TempDir(), "tokens"), filepath.Join(t.TempDir(), "admin.sock")
	if _, err := auth.Create(tokens, auth.Grant{Name: "first", Access: auth.Write}); err != nil {
		t.Fatal(err)
	}
	b := startBoard(t, card.Dir+"/data", "EDGECHAT_ADMIN="+socket, "EDGECHAT_TOKENS="+tokens, "EDGECHAT_ANONYMOUS=write", "EDGECHAT_WRITE_TIMEOUT=5s", "EDGECHAT_HISTORY=50")
	s := &soakTest{t: t, b: b, card: card, tokens: tokens, admin: admin.NewClient(socket), socket: socket}
	first := max(*soak/5, min(*soak/2, 30*time.Second))
	s.run(first)
	level := s.settled()
	t.Logf("after %v: %v; %v", first, level, &s.did)
	s.run(*soak - first)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		now := s.settled()
		more := now.above(level)
		if more == "" {
			t.Logf("after %v: %v; %v", *soak, now, &s.did)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: at first %v, and two minutes after the end %v; %v", more, level, now, &s.did)
		}
		time.Sleep(time.Second)
	}
	s.did.check(t)
	b.stop()
}

type soakTest struct {
	t      *testing.T
	b      *board
	card   *faultydisk.Card
	admin  *admin.Client
	tokens string
	socket string
	did    soaked
}

// run has it all happen for so long, and returns when nobody is left and the card is well.
func (s *soakTest) run(long time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), long)
	defer cancel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { repeat(ctx, s.churn) })
		wg.Go(func() { repeat(ctx, s.publish) })
	}
	for range 3 {
		wg.Go(func() { repeat(ctx, s.readSlowly) })
	}
	wg.Go(func() { repeat(ctx, s.herd) })
	wg.Go(func() { repeat(ctx, s.restart) })
	wg.Go(func() { repeat(ctx, s.restart) })
	for ctx.Err() == nil { // here, since it may end the test
		s.fault(ctx)
		s.reload()
		s.backup()
	}
	wg.Wait()
	s.card.Mend()
	deadline := time.Now().Add(time.Minute)
	for {
		status, body, err := s.b.get("/readyz", 10*time.Second)
		if err == nil && status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("a minute after all was well again /readyz says %d %s, %v", status, body, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func repeat(ctx context.Context, do func(context.Context)) {
	for ctx.Err() == nil {
		do(ctx)
	}
}

// rest waits for a random time of up to most, or until the end.
func rest(ctx context.Context, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(most)):
	}
}

// fault has the card do something for a while, and be well again for a while. No write fails but for want of space: ext4 is
// read-only for good once one of its journal does.
func (s *soakTest) fault(ctx context.Context) {
	for _, befall := range []func() (relieve func()){
		func() func() {
			s.card.Set(faultydisk.Write, faultydisk.Fault{Delay: 5 * time.Millisecond, Upto: 300 * time.Millisecond})
			return s.card.Mend
		},
		func() func() { s.card.Set(faultydisk.Flush, faultydisk.Fault{Hang: true}); return s.card.Mend },
		func() func() {
			s.card.Set(faultydisk.Read, faultydisk.Fault{Delay: 50 * time.Millisecond})
			return s.card.Mend
		},
		func() func() { return fillFolder(s.t, s.card.Dir) },
	} {
		if ctx.Err() != nil {
			return
		}
		relieve := befall()
		s.did.faults.Add(1)
		rest(ctx, 3*time.Second)
		relieve()
		rest(ctx, 3*time.Second)
	}
}

// fillFolder leaves no space on the file system of a folder, until it is emptied again.
func fillFolder(t *testing.T, folder string) (empty func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at, n := int64(0), int64(64<<20); n > 0; {
		if err := syscall.Fallocate(int(f.Fd()), 0, at, n); err != nil {
			n /= 2
		} else {
			at += n
		}
	}
	return func() {
		t.Helper()
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// reload makes a token, takes one back, and has the server read the file.
func (s *soakTest) reload() {
	name := fmt.Sprintf("soak-%d", s.did.reloads.Add(1))
	if _, err := auth.Create(s.tokens, auth.Grant{Name: name, Access: auth.Read, Rooms: []string{"den"}}); err != nil {
		s.t.Fatal(err)
	}
	s.b.signal(syscall.SIGHUP)
	if err := auth.Revoke(s.tokens, name); err != nil {
		s.t.Fatal(err)
	}
	s.b.signal(syscall.SIGHUP)
}

// backup makes one of the server at work and reads all of it.
func (s *soakTest) backup() {
	r, w := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { w.CloseWithError(s.admin.Backup(context.Background(), w)) })
	n, err := store.ReadBackup(r, func([]codec.Record) error { return nil })
	r.CloseWithError(err)
	wg.Wait()
	if err != nil || n == 0 {
		s.t.Fatalf("a backup of %d messages: %v\n%s", n, err, s.b.log)
	}
	s.did.backups.Add(1)
}

var (
	heapAlloc  = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)
	goroutines = regexp.MustCompile(`goroutine profile: total (\d+)`)
	rss        = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)
)
