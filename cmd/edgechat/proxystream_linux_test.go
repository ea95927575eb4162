package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// heartbeat is the ping interval of the server, and kept how many messages of a room it has, where streams are read.
const (
	heartbeat = 3 * time.Second
	kept      = 50
)

// streams reads a room live over plain HTTP: what is said comes at once, and each sign of life on its own, who comes back too
// late sees the gap, and an answer that waits is not given up.
func (b *proxiedServer) streams(base string) {
	b.t.Helper()
	address := strings.Replace(base, ".example/", fmt.Sprintf(".example:%d/", proxyPort), 1)
	_, said := b.get("POST", base+"chat/room/streams/messages?username=Ann", "old")
	old := regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(said)[1]
	for range kept + 1 { // so that one is missing behind the first
		if resp, body := b.get("POST", base+"chat/room/streams/messages?username=Ann", "newer"); resp.StatusCode != 201 {
			b.t.Fatalf("%s %s", resp.Status, body)
		}
	}
	for i, test := range []struct{ accept, ping, message string }{
		{"text/event-stream", ": ping", `data: {"type":"message",`},
		{"application/x-ndjson", `{"type":"ping"}`, `{"type":"message",`},
	} {
		from := fmt.Sprint("192.0.2.", 40+i)
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return b.in.DialPort(from, proxyPort) }, DisableCompression: true}
		ctx, cancel := context.WithTimeout(b.t.Context(), patience)
		r, err := http.NewRequestWithContext(ctx, "GET", address+"chat/room/streams/events", nil)
		if err != nil {
			b.t.Fatal(err)
		}
		r.Header.Set("Accept", test.accept)
		r.Header.Set("Last-Event-ID", old)
		r.Header.Set("Accept-Encoding", "gzip") // which would hold it back
		resp, err := transport.RoundTrip(r)
		if err != nil {
			b.t.Fatalf("%v\n%s", err, b.proxy.logs())
		}
		if resp.StatusCode != 200 || resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Content-Type") != test.accept {
			b.t.Errorf("%s: %s %v", base, resp.Status, resp.Header)
		}
		lines := bufio.NewReader(resp.Body)
		until := func(begin string) time.Time {
			b.t.Helper()
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					b.t.Fatalf("%s, %s: no line of %q: %v\n%s", base, test.accept, begin, err, b.proxy.logs())
				}
				if strings.HasPrefix(line, begin) {
					return time.Now()
				}
			}
		}
		begin := strings.TrimSuffix(test.message, `"message",`)
		until(begin + `"subscribed"`)
		until(begin + `"gap","since":"` + old + `"`)
		if resp, body := b.get("POST", base+"chat/room/streams/messages?username=Ann", "hi"); resp.StatusCode != 201 {
			b.t.Fatalf("%s %s", resp.Status, body)
		}
		until(test.message)
		first := until(test.ping)
		for n := 1; n <= 2; n++ { // held back they would come together, and one that is missing is an interval more
			at := time.Duration(n) * heartbeat
			if late := until(test.ping).Sub(first); late < at-heartbeat/2 || late > at+heartbeat/2 {
				b.t.Errorf("%s, %s: sign of life %d came %v behind the first", base, test.accept, n, late)
			}
		}
		cancel()
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		transport.CloseIdleConnections()
	}
	resp, body := b.get("GET", base+"chat/room/streams/messages?since=all&wait=30", "")
	if resp.StatusCode != 200 || resp.Header.Get("Edgechat-Recovered") != "true" || !strings.Contains(body, `"hi"`) {
		b.t.Errorf("%s: %s %s", base, resp.Status, body)
	}
}
