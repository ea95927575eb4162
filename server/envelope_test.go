package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnvelope holds the answer that refuses byte for byte, as a client receives it over each way
// on which it is written.
func TestEnvelope(t *testing.T) {
	s := start(t, Config{})
	golden := filepath.Join("testdata", "golden", "http_error.json")
	const handshake = "\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	for _, request := range []string{"GET /chat/room/a%26b/messages", "GET /chat/room/a%26b" + handshake} {
		resp, body := raw(t, s, request)
		if *update {
			if err := os.WriteFile(golden, body, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := readFile(t, golden); string(body) != want || resp.StatusCode != 400 || resp.ContentLength != int64(len(want)) {
			t.Errorf("%q: %s, %d bytes, %q; want %q", request, resp.Status, resp.ContentLength, body, want)
		}
		for key, want := range map[string]string{"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
			if got := resp.Header.Get(key); got != want {
				t.Errorf("%q: %s is %q, want %q", request, key, got, want)
			}
		}
	}
	for escaped, char := range map[string]string{"%3C": "'<' (U+003C)", "%3E": "'>' (U+003E)", "%22": `'\"' (U+0022)`} {
		if _, body := raw(t, s, "GET /chat/room/a"+escaped+"b/messages"); !strings.Contains(string(body), char) {
			t.Errorf("%s: %s", escaped, body)
		}
	}
	if _, body := raw(t, s, "HEAD /chat/room/a%26b/messages"); len(body) > 0 {
		t.Errorf("HEAD: %q", body)
	}
}
