package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// A board is a server as it is in production, with its data on a file system of the test's.
type board struct {
	*process
	addr, data string
	took       time.Duration // from its start until it listened, less what it waited for a processor
}

// startBoard starts a server with its data in a folder, and waits until it listens.
func startBoard(t *testing.T, data string, env ...string) *board {
	t.Helper()
	b := &board{data: data}
	b.process = runServe(t, nil, slices.Concat(edgetest.NoLimits(), []string{"EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA=" + data, "EDGECHAT_DRAIN_TIMEOUT=1s"}, env)...)
	began := time.Now()
	b.addr = b.await(`msg=listening addr=(127\.0\.0\.1:\d+)`)
	listening, err := time.Parse(time.RFC3339, b.await(`time=(\S+) level=INFO msg=listening`))
	if err != nil {
		t.Fatal(err)
	}
	b.took = listening.Sub(began) - b.starved()
	return b
}

// starved returns how long the server has waited for a processor, on that thread which waited longest.
func (b *board) starved() (longest time.Duration) {
	b.t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", b.cmd.Process.Pid)) // Documentation/scheduler/sched-stats.rst
	if err != nil {
		b.t.Fatal(err)
	}
	for _, name := range threads {
		var running, waiting time.Duration
		if raw, err := os.ReadFile(name); err == nil { // else the thread has ended
			if _, err := fmt.Sscan(string(raw), &running, &waiting); err != nil {
				b.t.Fatalf("%s: %q: %v", name, raw, err)
			}
		}
		longest = max(longest, waiting)
	}
	return longest
}

// kill ends the server as a crash does.
func (b *board) kill() {
	b.t.Helper()
	if err := b.cmd.Process.Kill(); err != nil {
		b.t.Fatal(err)
	}
	b.killed()
}

// killed waits until the server has ended by a signal that it cannot handle.
func (b *board) killed() {
	b.t.Helper()
	if err := b.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		b.t.Fatalf("the server ended by itself: %v\n%s", err, b.log)
	}
}

// stop ends the server in order.
func (b *board) stop() {
	b.t.Helper()
	b.signal(syscall.SIGTERM)
	b.end()
}

// post publishes over HTTP: 201 says that it is on disk, 202 that it is not.
func (b *board) post(room, content string) (status int, m message) {
	b.t.Helper()
	resp, err := patient.Post("http://"+b.addr+"/chat/room/"+url.PathEscape(room)+"/messages?username=x", "text/plain", strings.NewReader(content))
	if err != nil {
		b.t.Fatalf("post to %s: %v\n%s", room, err, b.log)
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode < 300 {
		err = json.Unmarshal(p, &m)
	}
	if err != nil || resp.StatusCode != 201 && resp.StatusCode != 202 {
		b.t.Fatalf("post to %s: %s %s, %v", room, resp.Status, p, err)
	}
	return resp.StatusCode, m
}
