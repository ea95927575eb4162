package ws

import (
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestTLSRenegotiation: a client of TLS 1.2 that would shake hands again, which costs it little and the server much, is told by an alert that
// it may not, and closed.
func TestTLSRenegotiation(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed (apt-get install openssl)")
	}
	addr, rt, ends := echoTLS(t, Config{})
	cmd := exec.Command(openssl, "s_client", "-connect", addr, "-tls1_2", "-crlf")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := new(edgetest.Log)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	ask := "GET /react HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
	if _, err := io.WriteString(stdin, ask); err != nil {
		t.Fatal(err)
	}
	awaitThat(t, "it is a WebSocket", func() bool { return rt.Stats().Open == 1 && said.Has("101 Switching") })
	if _, err := io.WriteString(stdin, "R\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ends:
		if err == nil || !strings.Contains(err.Error(), "tls: ") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Errorf("it goes on:\n%s", said)
	}
	awaitThat(t, "openssl was told that it may not", func() bool { return said.Has("RENEGOTIATING") && said.Has("alert unexpected message") })
}
