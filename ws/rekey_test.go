package ws

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/limit"
)

// A rekeyer writes records of TLS 1.3 by itself, changes of keys among them, which crypto/tls has no way to ask for.
type rekeyer struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	n      uint64
}

// newRekeyer takes over what a client writes, from the log of its keys. Nothing may have been written behind the handshake but n records.
func newRekeyer(t testing.TB, keys string, n uint64) *rekeyer {
	t.Helper()
	for line := range strings.Lines(keys) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(err)
			}
			r := &rekeyer{secret: secret}
			r.rekey(t)
			r.n = n
			return r
		}
	}
	t.Fatalf("no secret in %q", keys)
	return nil
}

// expand is HKDF-Expand-Label (RFC 8446 section 7.1).
func (r *rekeyer) expand(t testing.TB, label string, n int) []byte {
	t.Helper()
	label = "tls13 " + label
	info := append(binary.BigEndian.AppendUint16(nil, uint16(n)), byte(len(label)))
	out, err := hkdf.Expand(sha256.New, r.secret, string(append(append(info, label...), 0)), n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (r *rekeyer) rekey(t testing.TB) {
	t.Helper()
	block, err := aes.NewCipher(r.expand(t, "key", 16))
	if err != nil {
		t.Fatal(err)
	}
	if r.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	r.iv, r.n = r.expand(t, "iv", 12), 0
}

// record appends a record of this type.
func (r *rekeyer) record(b []byte, kind byte, payload []byte) []byte {
	nonce := bytes.Clone(r.iv)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^r.n)
	r.n++
	inner := append(bytes.Clone(payload), kind)
	header := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(inner)+r.aead.Overhead()))
	return r.aead.Seal(append(b, header...), nonce, inner, header)
}

// update appends a change of keys, which asks for one of the other side's if ask is 1.
func (r *rekeyer) update(t testing.TB, b []byte, ask byte) []byte {
	b = r.record(b, 22, []byte{24, 0, 0, 1, ask})
	r.secret = r.expand(t, "traffic upd", 32)
	r.rekey(t)
	return b
}

// rekeying connects to a route and takes over what is written.
func rekeying(t testing.TB, addr string) (*edgetest.Client, net.Conn, *rekeyer) {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	var keys bytes.Buffer
	nc := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &keys})
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	c := upgrade(t, nc, "/react")
	if s := nc.ConnectionState().CipherSuite; s != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("suite %s: this processor has no instructions for AES", tls.CipherSuiteName(s))
	}
	return c, raw, newRekeyer(t, keys.String(), 1)
}

// TestTLSRekeyed: a client may change its keys and have the server change its own, between any two messages.
func TestTLSRekeyed(t *testing.T) {
	addr, _, _ := echoTLS(t, Config{Limits: Limits{Frames: limit.Rate{N: 1, Per: time.Hour, Burst: 50}}})
	c, raw, r := rekeying(t, addr)
	for range 10 {
		p := r.record(r.update(t, nil, 1), 23, edgetest.Frame(edgetest.OpText, []byte("hello")))
		if _, err := raw.Write(p); err != nil {
			t.Fatal(err)
		}
		if got := c.Expect(edgetest.OpText); string(got) != "hello" {
			t.Fatalf("%q", got)
		}
	}
}

// TestTLSRekeyFlood: changes of keys without pause count as frames, also where a byte of a message comes between each two, which
// crypto/tls takes for progress.
func TestTLSRekeyFlood(t *testing.T) {
	addr, rt, ends := echoTLS(t, Config{Limits: Limits{Frames: limit.Rate{N: 1, Per: time.Hour, Burst: 200}}})
	c, raw, r := rekeying(t, addr)
	slow := edgetest.Frame(edgetest.OpText, bytes.Repeat([]byte("x"), 60_000))
	var p []byte
	for i := range 300 {
		p = r.record(r.update(t, p, 0), 23, slow[i:i+1])
	}
	go func() { _, _ = raw.Write(p) }() // ends with the connection
	if code, reason := c.ExpectClose(); code != 1008 || !strings.HasPrefix(reason, "rate_limited: more frames") {
		t.Errorf("closed with %d %s", code, reason)
	}
	<-ends
	if n := rt.Stats().Limits.Frames; n != 1 {
		t.Errorf("%d counted", n)
	}
}
