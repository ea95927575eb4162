package chat

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// secure has r served over TLS, too, and returns where.
func secure(t testing.TB, r *rig) (addr string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: r.rt}
	served := make(chan error, 1)
	sealed := r.rt.ListenTLS(l, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	go func() { served <- srv.Serve(sealed) }()
	t.Cleanup(func() { _ = srv.Close(); <-served })
	return l.Addr().String()
}

// listenTLS is listen for a WebSocket over TLS. What is returned is below TLS: a test that opened what it reads would
// be measured with it, and keep as much.
func listenTLS(t testing.TB, addr string) net.Conn {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	enter(t, tls.Client(raw, &tls.Config{InsecureSkipVerify: true, SessionTicketsDisabled: true}), "websocket")
	return raw
}

// A crowd reads, and counts bytes, and those among them that end a message.
type crowd struct {
	bytes, ends atomic.Int64
	readers     sync.WaitGroup
	members     int64
}

const end = "|"

func (c *crowd) add(conn net.Conn) {
	c.members++
	c.readers.Go(func() {
		buf := make([]byte, 8<<10)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			c.ends.Add(int64(bytes.Count(buf[:n], []byte(end))))
			c.bytes.Add(int64(n))
		}
	})
}

func reach(t testing.TB, n *atomic.Int64, want int64) {
	t.Helper()
	for late := time.Now().Add(time.Minute); n.Load() < want; time.Sleep(50 * time.Microsecond) {
		if time.Now().After(late) {
			t.Fatalf("%d have come, want %d", n.Load(), want)
		}
	}
}

// TestFanOutTLS: a thousand members over TLS beside a thousand without, in one room, have all that is said, at a bounded cost: of
// processor time for a delivery, and of memory for a member. Neither has what the clients do to open it.
func TestFanOutTLS(t *testing.T) {
	if edgetest.Race || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("it measures, and a thousand handshakes take too long: make test does it without the race detector")
	}
	const members, messages = 1000, 20
	const mostTimes, mostBytes = 4, 8 << 10
	r := newRig(t, func(s *setup) { s.store.SyncInterval = time.Hour })
	addr := secure(t, r)
	var plain, sealed crowd
	defer plain.readers.Wait()
	defer sealed.readers.Wait()
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	join := func(listen func() net.Conn) (each int) {
		conns = append(conns, listen()) // what is made once
		before := inUse()
		for range members - 1 {
			conns = append(conns, listen())
		}
		return (inUse() - before) / (members - 1)
	}
	plainBytes := join(func() net.Conn { return listen(t, r, "websocket") })
	for _, c := range conns {
		plain.add(c)
	}
	// say returns the processor time of a message to all. One over TLS is a record: its header, its true type and its tag come on top
	// (RFC 8446 section 5.2).
	const record = 5 + 1 + 16
	said := int64(0)
	say := func() time.Duration {
		began := processorTime()
		for range messages {
			before, sealedBefore := plain.bytes.Load(), sealed.bytes.Load()
			r.say("den", strings.Repeat("x", 60)+end)
			said++
			reach(t, &plain.ends, said*members)
			reach(t, &sealed.bytes, sealedBefore+((plain.bytes.Load()-before)/members+record)*sealed.members)
		}
		return (processorTime() - began) / messages
	}
	say()
	alone := say()
	many := len(conns)
	sealedBytes := join(func() net.Conn { return listenTLS(t, addr) })
	for _, c := range conns[many:] {
		sealed.add(c)
	}
	say()
	both := say()
	perPlain, perSealed := alone/members, (both-alone)/members
	t.Logf("of one delivery %v without TLS and %v with it; of one member %d bytes without TLS and %d with it", perPlain, perSealed, plainBytes, sealedBytes)
	if perSealed > mostTimes*perPlain {
		t.Errorf("a delivery over TLS costs %v, and %v without", perSealed, perPlain)
	}
	if sealedBytes > mostBytes {
		t.Errorf("a member over TLS takes %d bytes", sealedBytes)
	}
}

// BenchmarkShake is a handshake, its client's side included: processor time of both.
func BenchmarkShake(b *testing.B) {
	r := newRig(b)
	addr := secure(b, r)
	b.Run("none", func(b *testing.B) { // a connection without TLS
		n, began := 0, processorTime()
		for b.Loop() {
			c, err := net.Dial("tcp", strings.TrimPrefix(r.http, "http://"))
			if err != nil {
				b.Fatal(err)
			}
			_ = c.Close()
			n++
		}
		b.ReportMetric(float64(processorTime()-began)/float64(n), "cpu-ns/handshake")
	})
	for name, cfg := range map[string]*tls.Config{"whole": {}, "resumed": {ClientSessionCache: tls.NewLRUClientSessionCache(1)}} {
		b.Run(name, func(b *testing.B) {
			cfg.InsecureSkipVerify = true
			n, began := 0, processorTime()
			for b.Loop() {
				c, err := tls.Dial("tcp", addr, cfg)
				if err != nil {
					b.Fatal(err)
				}
				_ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) // a ticket comes behind the handshake
				_, _ = c.Read(make([]byte, 1))
				_ = c.Close()
				n++
			}
			b.ReportMetric(float64(processorTime()-began)/float64(n), "cpu-ns/handshake")
		})
	}
}
