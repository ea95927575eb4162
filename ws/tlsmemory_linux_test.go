package ws

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestTLSMemory: what a silent connection over TLS keeps, besides what one without TLS does, on an event loop, whichever version and
// suite it has, and whatever it was sent before.
func TestTLSMemory(t *testing.T) {
	if edgetest.Race {
		t.Skip("make test measures memory without the race detector")
	}
	const conns, most = 200, 6 << 10 // bytes a connection
	for name, cfg := range map[string]*tls.Config{
		"1.3": {}, "1.2": {MaxVersion: tls.VersionTLS12}, "1.2, ChaCha20": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}},
	} {
		t.Run(name, func(t *testing.T) {
			addr, rt, _ := echoTLS(t, Config{PingInterval: time.Hour})
			var open []net.Conn // the peers' own TLS is not measured: it is garbage
			dial := func() {
				raw, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = raw.Close() })
				open = append(open, raw)
				own := cfg.Clone()
				own.InsecureSkipVerify = true
				c := upgrade(t, tls.Client(raw, own), "/react")
				for _, size := range []int{20_000, 5} {
					c.Text(string(make([]byte, size)))
					if got := c.Expect(edgetest.OpText); len(got) != size {
						t.Fatalf("%d bytes came back as %d", size, len(got))
					}
				}
			}
			kept := func() int64 {
				awaitThat(t, "all are parked", func() bool { return talking(rt.reactors[0]) == 0 })
				var m runtime.MemStats
				for range 3 { // pools empty in two
					runtime.GC()
				}
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc + m.StackInuse)
			}
			for range 20 { // what is made once
				dial()
			}
			before := kept()
			for range conns {
				dial()
			}
			each := int64(most + 1)
			for rounds := 0; each > most && rounds < 20; rounds++ {
				each = (kept() - before) / conns
				time.Sleep(10 * time.Millisecond)
			}
			runtime.KeepAlive(open)
			t.Logf("%d bytes a connection", each)
			if each > most {
				t.Errorf("%d bytes a connection, want at most %d", each, most)
			}
		})
	}
}
