package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/store"
)

var hotBackups = flag.Int("backups", 3, "TestHotBackup: how many, of which 10 and more are also judged by the time of an ack")

// What is said while backups are made: 2,000 messages a second.
const (
	hotSpeakers = 20
	hotEvery    = 10 * time.Millisecond
)

// TestHotBackup makes backups of a server while people talk, who each ask for an ack. Each backup is whole, and has all
// that was acknowledged before it began; and an ack takes at most twice the time that it takes without. How long that is depends on what else
// the machine does, so it is judged where there are enough of them, side by side.
//
//	go test ./cmd/edgechat -run TestHotBackup -v -backups 30
func TestHotBackup(t *testing.T) {
	dir := t.TempDir()
	addr, socket := edgetest.FreeAddr(t), filepath.Join(dir, "admin.sock")
	cmd := exec.Command("edgechat", "serve", "--listen", addr, "--data", filepath.Join(dir, "data"), "--admin", socket,
		"--history", "100000", "--history-bytes", "1GiB", "--rate", "0", "--byte-rate", "0", "--frame-rate", "0")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for end := time.Now().Add(30 * time.Second); !postTo(addr); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not serve")
		}
	}

	acked := &hotAcks{}
	acked.total.Store(1) // the one above
	quit := make(chan struct{})
	var speakers sync.WaitGroup
	for i := range hotSpeakers {
		in := edgetest.Dial(t, fmt.Sprintf("http://%s/chat/room/r%d?username=u", addr, i), "Sec-WebSocket-Protocol: edgechat.v1.json")
		in.JSONOf("subscribed")
		speakers.Go(func() { acked.speak(t, in, quit) })
	}
	began := time.Now()
	for n := range *hotBackups {
		time.Sleep(time.Second) // in which nothing is made, to compare with
		path := filepath.Join(dir, "backup")
		least := acked.total.Load()
		acked.underWay.Add(1)
		backup := exec.Command("edgechat", "backup", path)
		backup.Env = append(os.Environ(), "EDGECHAT_ADMIN="+socket)
		out, err := backup.CombinedOutput()
		acked.underWay.Add(1)
		if err != nil {
			t.Fatalf("backup %d: %v\n%s", n, err, out)
		}
		report, err := store.Check(path)
		if err != nil || len(report.Problems) > 0 || int64(report.Messages) < least {
			t.Errorf("backup %d has %d messages, and %d were acknowledged before: %v, %v", n, report.Messages, least, report.Problems, err)
		}
	}
	over := time.Since(began)
	close(quit)
	speakers.Wait()

	without, during := sorted(acked.took[0]), sorted(acked.took[1])
	if len(without) == 0 || len(during) == 0 {
		t.Fatalf("%d acks without a backup, %d during one", len(without), len(during))
	}
	p99 := func(d []time.Duration) time.Duration { return d[len(d)*99/100] }
	t.Logf("%d backups; %.0f messages a second; 99 %% of the acks within %v of %d without a backup, %v of %d during one: %.2f times as long",
		*hotBackups, float64(acked.total.Load())/over.Seconds(), p99(without), len(without), p99(during), len(during), float64(p99(during))/float64(p99(without)))
	if *hotBackups >= 10 && p99(during) > 2*p99(without) {
		t.Error("that is more than twice as long")
	}
}

// hotAcks are the acks of all speakers.
type hotAcks struct {
	total    atomic.Int64
	underWay atomic.Int64 // odd while a backup is made

	mu   sync.Mutex
	took [2][]time.Duration // without a backup, and with one
}

// speak says something each hotEvery, and notes when it is acknowledged as durable, until quit is closed.
func (a *hotAcks) speak(t *testing.T, in *edgetest.Client, quit chan struct{}) {
	var mu sync.Mutex
	sent, backups := map[string]time.Time{}, map[string]int64{}
	ended := make(chan struct{})
	go func() { // ends with quit, or with the connection
		defer close(ended)
		text := strings.Repeat("x", 180)
		tick := time.NewTicker(hotEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-quit:
				_ = in.Conn.Close()
				return
			case <-tick.C:
			}
			key := fmt.Sprint(n)
			mu.Lock()
			sent[key], backups[key] = time.Now(), a.underWay.Load()
			mu.Unlock()
			if _, err := in.Conn.Write(edgetest.Frame(edgetest.OpText, fmt.Appendf(nil, `{"type":"message","content":"%s","idempotency_key":"%s"}`, text, key))); err != nil {
				return
			}
		}
	}()
	for {
		_, p, err := in.Read()
		if err != nil {
			break
		}
		m, err := decode(p)
		if err != nil || m.Type != "ack" {
			continue
		}
		if !m.Durable {
			t.Errorf("%s", p)
		}
		mu.Lock()
		at, before := sent[m.Key], backups[m.Key]
		delete(sent, m.Key)
		delete(backups, m.Key)
		mu.Unlock()
		kind := 0
		if now := a.underWay.Load(); before%2 == 1 || now != before {
			kind = 1
		}
		a.mu.Lock()
		a.took[kind] = append(a.took[kind], time.Since(at))
		a.mu.Unlock()
		a.total.Add(1)
	}
	select {
	case <-quit:
	default:
		t.Error("a connection ended")
	}
	<-ended
}
