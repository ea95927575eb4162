package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

var silence = flag.Duration("silence", 2*time.Second, "how long TestSilence listens")

// While nothing is said nothing is written: no line of the log, no byte of any file.
// A minute of it: go test ./cmd/edgechat -run TestSilence -silence 1m
func TestSilence(t *testing.T) {
	data := t.TempDir()
	p := runServe(t, nil, "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+data)
	addr := p.await(`addr=(127\.0\.0\.1:\d+)`)
	c := edgetest.Dial(t, "http://"+addr+"/chat/room/den", "Sec-WebSocket-Protocol: edgechat.v1.json")
	c.JSONOf("subscribed")
	c.Text(`{"type":"message","content":"x","idempotency_key":"k"}`)
	c.JSONOf("ack")
	time.Sleep(500 * time.Millisecond)
	state := func() (s string) {
		files, err := os.ReadDir(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			st, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			s += fmt.Sprintf("%s: %d bytes, %v\n", f.Name(), st.Size(), st.ModTime())
		}
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.cmd.Process.Pid)) // proc_pid_io(5)
		if err != nil {
			t.Skip(err)
		}
		return s + regexp.MustCompile(`\bwrite_bytes: \d+`).FindString(string(raw)) + "\n" + p.log.String()
	}
	before := state()
	if !strings.Contains(before, "edgechat.db: ") || !strings.Contains(before, "write_bytes: ") {
		t.Fatalf("nothing is tested:\n%s", before)
	}
	time.Sleep(*silence)
	if after := state(); after != before {
		t.Errorf("in %v of silence this became of it:\n%s\nbefore:\n%s", *silence, after, before)
	}
	p.signal(syscall.SIGTERM)
	p.end()
}
