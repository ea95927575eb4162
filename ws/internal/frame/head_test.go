package frame

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const exampleHead = "GET /react HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// FuzzHead: what the loop takes for a handshake, net/http would have
// taken for the same request.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		exampleHead, exampleHead + "rest", strings.ReplaceAll(exampleHead, ": ", ":\t"), strings.Replace(exampleHead, "x", "[::1]:3000", 1),
		strings.Replace(exampleHead, "Host: x", "Host: x\r\nContent-Length: 2", 1), "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		n := HeadLen(p)
		if n == 0 {
			return
		}
		if n > len(p) || n > MaxHead || !bytes.HasSuffix(p[:n], []byte("\r\n\r\n")) || bytes.Contains(p[:n-1], []byte("\r\n\r\n")) {
			t.Fatalf("head of %d bytes of %q", n, p)
		}
		br := bufio.NewReader(bytes.NewReader(p))
		r, err := http.ReadRequest(br)
		if err != nil {
			return // it is handed on
		}
		if br.Buffered() != len(p)-n && len(p) <= 4096 {
			t.Errorf("net/http sees a head of %d bytes, not %d", len(p)-br.Buffered(), n)
		}
		// The loop reads the head alone.
		alone, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p[:n])))
		if err != nil || alone.Method != r.Method || alone.RequestURI != r.RequestURI || alone.Host != r.Host || !reflect.DeepEqual(alone.URL, r.URL) || !reflect.DeepEqual(alone.Header, r.Header) {
			t.Errorf("%q alone is %+v, %v, and %+v with what is behind it", p[:n], alone, err, r)
		}
		if r.Method != "GET" || r.Proto != "HTTP/1.1" || r.ContentLength != 0 || r.TransferEncoding != nil || r.Host == "" ||
			!strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && len(r.Header.Values("Upgrade")) == 1 {
			t.Errorf("%q is %+v", p, r)
		}
	})
}
