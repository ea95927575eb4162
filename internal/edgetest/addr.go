package edgetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports that Linux gives to whoever connects begin at 32768 (ip_local_port_range; those of RFC 6335 section 6 at 49152). One
// below them is free again for whoever listens there a second time.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

var given sync.Map // ports

// FreeAddr returns an address of this machine where nobody listens, for a server that is told where to listen, or that comes
// back where it was: "127.0.0.1:23456". No connection takes its port meanwhile.
func FreeAddr(t testing.TB) string {
	t.Helper()
	var err error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatalf("no port is free from %d to %d: %v", firstPort, lastPort, err)
	return ""
}
