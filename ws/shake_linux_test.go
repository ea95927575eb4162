package ws

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/limit"
)

// TestHandshakeRate: an address that begins more handshakes than it may is told by an alert, and no other address is; however it is accepted.
func TestHandshakeRate(t *testing.T) {
	const burst = 5
	for name, driver := range map[string]driving{"loop": autoDriver, "goroutine": hijackLoop} {
		t.Run(name, func(t *testing.T) {
			a := &town{t: t, n: edgetest.NewNet(t)}
			_, a.rt, _ = echo(t, Config{driver: driver, Limits: Limits{Handshakes: limit.Rate{N: 1, Per: time.Hour, Burst: burst}}}, 0)
			a.l = a.n.Listen()
			sealed := a.rt.ListenTLS(a.l, &tls.Config{Certificates: []tls.Certificate{testCertificate()}})
			srv := &http.Server{Handler: a.rt}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(sealed) }()
			t.Cleanup(func() { _ = srv.Close(); <-served })
			shake := func(from string) error {
				c := tls.Client(a.dial(from), &tls.Config{InsecureSkipVerify: true})
				defer c.Close()
				return c.Handshake()
			}
			for i := range burst {
				if err := shake("192.0.2.2"); err != nil {
					t.Fatalf("handshake %d: %v", i, err)
				}
			}
			for range 3 {
				if err := shake("192.0.2.2"); err == nil || !strings.Contains(err.Error(), "internal error") && !strings.Contains(err.Error(), "reset") {
					t.Errorf("one too many: %v", err)
				}
			}
			if err := shake("192.0.2.3"); err != nil {
				t.Errorf("somebody else: %v", err)
			}
			if n := a.rt.Stats().Limits.Handshakes; n != 3 {
				t.Errorf("%d counted", n)
			}
			a.await("all are gone", func(s Stats) bool { return s.Plain == 0 && s.Handshakes == burst+1 })
		})
	}
}

// TestHandshakeTurns: no more handshakes compute at once than may, the others wait, and whatever becomes of one its turn ends.
func TestHandshakeTurns(t *testing.T) {
	addr, rt, _ := echoTLS(t, Config{})
	for range cap(rt.shaking) {
		rt.shaking <- struct{}{}
	}
	done := make(chan error, 1)
	go func() { // ends with the handshake
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			err = c.Close()
		}
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	<-rt.shaking
	if err := <-done; err != nil {
		t.Error(err)
	}
	for range cap(rt.shaking) - 1 {
		<-rt.shaking
	}
	for range 2 * cap(rt.shaking) {
		for _, cfg := range []*tls.Config{
			{}, // the certificate is refused
			{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}},
			{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
			{InsecureSkipVerify: true, NextProtos: []string{"none"}},
		} {
			if c, err := tls.Dial("tcp", addr, cfg); err == nil {
				_ = c.Close()
			}
		}
	}
	awaitThat(t, "all turns are over", func() bool { return len(rt.shaking) == 0 && rt.Stats().Plain == 0 })
	if c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
}

// A stepper waits before the second time that it writes, of which each is a step of the handshake.
type stepper struct {
	net.Conn
	steps  int
	second func()
}

func (s *stepper) Write(p []byte) (int, error) {
	if s.steps++; s.steps == 2 {
		s.second()
	}
	return s.Conn.Write(p)
}

// TestHandshakeSteps: what a handshake computes in a second step has a turn, too.
func TestHandshakeSteps(t *testing.T) {
	for name, step := range map[string]struct {
		server tls.CurveID
		client uint16
	}{
		"a hello that is asked for again": {tls.CurveP384, tls.VersionTLS13}, // of which no key is offered unasked
		"the second half of TLS 1.2":      {tls.X25519, tls.VersionTLS12},
	} {
		t.Run(name, func(t *testing.T) {
			_, rt, _ := echo(t, Config{}, 64<<10)
			addr := sealedBy(t, rt, &tls.Config{CurvePreferences: []tls.CurveID{step.server}})
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			stopped := make(chan struct{})
			c := tls.Client(&stepper{Conn: nc, second: func() {
				for range cap(rt.shaking) {
					rt.shaking <- struct{}{}
				}
				close(stopped)
			}}, &tls.Config{InsecureSkipVerify: true, MaxVersion: step.client})
			t.Cleanup(func() { _ = c.Close() })
			done := make(chan error, 1)
			go func() { done <- c.Handshake() }() // ends with the handshake
			<-stopped
			select {
			case err := <-done:
				t.Fatalf("it did not wait: %v", err)
			case <-time.After(200 * time.Millisecond):
			}
			for range cap(rt.shaking) {
				<-rt.shaking
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if s := c.ConnectionState(); s.HelloRetryRequest != (step.client == tls.VersionTLS13) || s.Version != step.client {
				t.Errorf("%s, asked again: %t", tls.VersionName(s.Version), s.HelloRetryRequest)
			}
			awaitThat(t, "its turn is over", func() bool { return len(rt.shaking) == 0 })
		})
	}
}
