package hostile

import (
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// Nobody reads what the server logs: it goes on, and can be stopped.
func TestUnreadLog(t *testing.T) {
	const connections = 2000
	s := ServeUnread(t, *program, edgetest.FreeAddr(t), append(edgetest.NoLimits(), "EDGECHAT_LOG_LEVEL=debug")...)
	for range connections {
		c := dial(t, s.Addr)
		if _, err := c.Write([]byte(Handshake("den", "username=x&announce=0"))); err != nil {
			t.Fatal(err)
		}
		if answer, err := head(c, 10*time.Second); err != nil {
			t.Fatalf("%q, %v", answer, err)
		}
		_ = c.Close() // which is told, too
	}
	if err := healthz(s.Addr); err != nil {
		t.Error(err)
	}
	s.Stop()
}
