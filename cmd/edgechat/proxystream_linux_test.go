package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// streams reads a room live over plain HTTP: what is said comes at once, and each sign of life on its own, and an
// answer that waits is not given up.
func (b *proxiedServer) streams(base string) {
	b.t.Helper()
	address := strings.Replace(base, ".example/", fmt.Sprintf(".example:%d/", proxyPort), 1)
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
		until(strings.TrimSuffix(test.message, `"message",`) + `"subscribed"`)
		if resp, body := b.get("POST", base+"chat/room/streams/messages?username=Ann", "hi"); resp.StatusCode != 201 {
			b.t.Fatalf("%s %s", resp.Status, body)
		}
		until(test.message)
		first := until(test.ping)
		if gap := until(test.ping).Sub(first); gap < time.Second { // they come every 3 s, and would come together if they were held back
			b.t.Errorf("%s, %s: two signs of life within %v", base, test.accept, gap)
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
