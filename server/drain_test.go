package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Who was accepted before the stop gets an answer to what he sends during it, and
// who sends nothing does not hold it up for long.
func TestRequestAtStop(t *testing.T) {
	s := start(t, Config{})
	addr := s.addr(0).String()
	c, silent := s.dial(), s.dial()
	defer silent.Close()
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited for %s", what)
			}
		}
	}
	until("both to be accepted", func() bool { fresh, _ := s.requests.count(); return fresh == 2 })
	s.cancel()
	until("the listener to close", func() bool {
		probe, err := net.Dial("tcp", addr)
		if err == nil {
			probe.Close()
		}
		return err != nil
	})
	if _, err := io.WriteString(c, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
		t.Errorf("%s, close %v: it must say that it is draining, and not offer to go on", resp.Status, resp.Close)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if s.log.Has("were cut") {
		t.Errorf("log:\n%s", s.log)
	}
	if fresh, active := s.requests.count(); fresh+active > 1 { // the silent one's goroutine may be ending
		t.Errorf("%d fresh, %d active after the stop", fresh, active)
	}
}
