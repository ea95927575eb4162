package main

import (
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

var against = flag.String("against", "", "TestAckTime: an edgechat binary of before, to compare with")

// TestAckTime has this program and one of before acknowledge messages in turn, one at a time with a rest between, on
// cards whose flush takes 20 ms. The one of before flushed twice.
//
//	go test ./cmd/edgechat -run TestAckTime -v -against BINARY
func TestAckTime(t *testing.T) {
	if *against == "" {
		t.Skip("without -against there is nothing to compare with")
	}
	var before, now []time.Duration
	for range 3 {
		before = append(before, ackTimes(t, *against)...)
		now = append(now, ackTimes(t, "edgechat")...)
	}
	b, n := sorted(before)[len(before)/2], sorted(now)[len(now)/2]
	t.Logf("medians of %d: %v before, %v now, a ratio of %.2f", len(now), b, n, float64(n)/float64(b))
	if float64(n) > 0.6*float64(b) {
		t.Errorf("an ack takes %v, want at most 0.6 of %v", n, b)
	}
}

// ackTimes is how long a server on a card of its own takes to say that a message is durable.
func ackTimes(t *testing.T, program string) (took []time.Duration) {
	t.Helper()
	card := faultydisk.New(t, 96<<20)
	data := filepath.Join(card.Dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	addr := edgetest.FreeAddr(t)
	cmd := exec.Command(program, "serve", "--data", data, "--listen", addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		card.Mend()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for end := time.Now().Add(30 * time.Second); !postTo(addr); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not serve", program)
		}
	}
	card.Set(faultydisk.Flush, faultydisk.Fault{Delay: 20 * time.Millisecond})
	for range 20 {
		time.Sleep(150 * time.Millisecond) // commits are 100 ms apart, whatever the card is like
		began := time.Now()
		if !postTo(addr) {
			t.Fatal("a message was not taken")
		}
		took = append(took, time.Since(began))
	}
	return took
}

func postTo(addr string) bool {
	resp, err := http.Post("http://"+addr+"/chat/room/den/messages", "text/plain", strings.NewReader("hello"))
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusCreated
}
