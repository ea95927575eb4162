package ws

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// testCertificate is one for anybody: clients of these tests do not check it.
var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// echoTLS is echo over TLS; url is that of a TCP connection.
func echoTLS(t testing.TB, cfg Config) (addr string, rt *Router, ends chan error) {
	t.Helper()
	_, rt, ends = echo(t, cfg, 64<<10)
	return sealedBy(t, rt, &tls.Config{}), rt, ends
}

// sealedBy serves rt over TLS as cfg says, with a certificate.
func sealedBy(t testing.TB, rt *Router, cfg *tls.Config) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: rt, ReadHeaderTimeout: 2 * time.Second, ConnState: func(nc net.Conn, state http.ConnState) {
		if state == http.StateActive {
			rt.TrackTLS(nc)
		}
	}}
	cfg.Certificates = []tls.Certificate{testCertificate()}
	sealed := rt.ListenTLS(l, cfg)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(sealed) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-served
	})
	return l.Addr().String()
}

func dialTLS(t testing.TB, addr, path string, cfg *tls.Config) *edgetest.Client {
	t.Helper()
	cfg.InsecureSkipVerify = true
	nc, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	return upgrade(t, nc, path)
}

func upgrade(t testing.TB, nc net.Conn, path string) *edgetest.Client {
	t.Helper()
	c := edgetest.NewClient(t, nc)
	c.Raw([]byte(edgetest.Handshake(&url.URL{Host: "localhost", Path: path})))
	if c.ReadResponse(); c.Response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answer to the handshake: %s", c.Response.Status)
	}
	return c
}

var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// TestTLSEcho: messages of all sizes come back over both versions of TLS and both kinds of routes, and a route of the loop has no goroutine.
func TestTLSEcho(t *testing.T) {
	for name, version := range tlsVersions {
		for _, path := range []string{"/react", "/handle"} {
			t.Run(name+path, func(t *testing.T) {
				addr, rt, ends := echoTLS(t, Config{})
				c := dialTLS(t, addr, path, &tls.Config{MaxVersion: version})
				for _, size := range []int{0, 1, 125, 126, 1300, 16 << 10, 16<<10 + 1, 60_000, 3} {
					text := strings.Repeat("x", size)
					c.Text(text)
					if got := c.Expect(edgetest.OpText); string(got) != text {
						t.Fatalf("%d bytes came back as %d", size, len(got))
					}
				}
				if s := rt.Stats(); s.Open != 1 || s.Plain != 0 || s.Handshakes != 1 || s.HandshakesFailed != 0 {
					t.Errorf("open %d, plain %d, handshakes %d and %d that failed", s.Open, s.Plain, s.Handshakes, s.HandshakesFailed)
				}
				if onLoop := runtime.GOOS == "linux" && path == "/react"; onLoop != (rt.Stats().Writes > 0) {
					t.Errorf("loops wrote %d times", rt.Stats().Writes)
				}
				c.Close()
				if err := <-ends; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestTLSBytewise: what comes a byte at a time, in records of one byte, and many messages in one record.
func TestTLSBytewise(t *testing.T) {
	addr, _, _ := echoTLS(t, Config{})
	c := dialTLS(t, addr, "/react", &tls.Config{})
	var frames []byte
	for range 50 {
		frames = append(frames, edgetest.Frame(edgetest.OpText, []byte("hello"))...)
	}
	for i := range 200 {
		if _, err := c.Conn.Write(frames[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Conn.Write(frames[200:]); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if got := c.Expect(edgetest.OpText); string(got) != "hello" {
			t.Fatalf("%q came back", got)
		}
	}
}

// TestTLSCut: a record that is cut by the network anywhere is put together.
func TestTLSCut(t *testing.T) {
	addr, _, _ := echoTLS(t, Config{})
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	cut := &cutter{Conn: raw}
	nc := tls.Client(cut, &tls.Config{InsecureSkipVerify: true})
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	c := upgrade(t, nc, "/react")
	cut.piece = 7
	for _, size := range []int{5, 500, 20_000} {
		text := strings.Repeat("y", size)
		c.Text(text)
		if got := c.Expect(edgetest.OpText); string(got) != text {
			t.Fatalf("%d bytes came back as %d", size, len(got))
		}
	}
}

type cutter struct {
	net.Conn
	piece int
}

func (c *cutter) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		end := len(p)
		if c.piece > 0 {
			end = min(end, n+c.piece)
		}
		var k int
		k, err = c.Conn.Write(p[n:end])
		n += k
	}
	return n, err
}

// TestTLSStalled: a record that does not end is closed as a message that does not, and so is a handshake.
func TestTLSStalled(t *testing.T) {
	addr, rt, ends := echoTLS(t, Config{MessageTimeout: 200 * time.Millisecond, PingInterval: time.Hour})
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	nc := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	t.Cleanup(func() { _ = nc.Close() })
	c := upgrade(t, nc, "/react")
	c.Text("well")
	if got := c.Expect(edgetest.OpText); string(got) != "well" {
		t.Fatalf("%q", got)
	}
	if _, err := raw.Write([]byte{23, 3, 3, 0x10, 0}); err != nil {
		t.Fatal(err)
	}
	dribble, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(dribble)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if _, err := raw.Write([]byte{1}); err != nil {
				return
			}
		}
	}()
	<-ends
	close(stop)
	<-dribble
	if n := rt.Stats().Stalled; n != 1 {
		t.Errorf("stalled: %d", n)
	}

	half, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := half.Write([]byte{22, 3, 1, 2, 0, 1}); err != nil {
		t.Fatal(err)
	}
	_ = half.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, half); err != nil {
		t.Log(err) // a reset is an end too
	}
	awaitThat(t, "for a handshake to be given up", func() bool { s := rt.Stats(); return s.HandshakesFailed == 1 && s.Plain == 0 })
}

// TestTLSPlain: a request that is not encrypted is answered so that people understand.
func TestTLSPlain(t *testing.T) {
	addr, rt, _ := echoTLS(t, Config{})
	for _, request := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /react HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(nc, request); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(nc)
		_ = nc.Close()
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) || !bytes.Contains(answer, []byte("https://")) {
			t.Errorf("%q: %v", answer, err)
		}
	}
	awaitThat(t, "for it to be counted", func() bool { s := rt.Stats(); return s.HandshakesFailed == 2 && s.Plain == 0 })
}

// TestTLSLimits: who is one too many is told by an alert, whether he speaks TLS or not.
func TestTLSLimits(t *testing.T) {
	addr, rt, _ := echoTLS(t, Config{Limits: Limits{Plain: 1}})
	first, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	awaitThat(t, "for the first to be counted", func() bool { return rt.Stats().Plain == 1 })
	_, err = tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("the second: %v", err)
	}
	if n := rt.Stats().Limits.Plain; n != 1 {
		t.Errorf("refused: %d", n)
	}
}

// TestTLSSlow: a peer that takes nothing is closed, with little held for it, and one that takes again gets all of what is
// left in order.
func TestTLSSlow(t *testing.T) {
	addr, rt, ends := echoTLS(t, Config{WriteTimeout: 500 * time.Millisecond, SendBuffer: 4 << 10})
	c := dialTLS(t, addr, "/react", &tls.Config{})
	frame := edgetest.Frame(edgetest.OpText, bytes.Repeat([]byte("z"), 30_000))
	for {
		select {
		case <-ends:
		default:
			_ = c.Conn.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := c.Conn.Write(frame); err == nil {
				continue
			}
			<-ends
		}
		break
	}
	if n := rt.Stats().Slow; n != 1 {
		t.Errorf("slow: %d", n)
	}
}
