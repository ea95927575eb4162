package ws

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, rt, ends := echo(t, v.with(Config{}), 0)
		var clients []*edgetest.Client
		for range 50 {
			clients = append(clients, edgetest.Dial(t, base+v.path))
		}
		for _, c := range clients {
			c.Text("in flight")
			c.ExpectText("in flight")
		}
		done := make(chan error)
		go func() {
			done <- rt.Shutdown(context.Background(), refusal.CloseServiceRestart, "restarting, come back in 1 to 5 s")
		}()
		for _, c := range clients {
			if code, reason := c.ExpectClose(); code != refusal.CloseServiceRestart || reason != "restarting, come back in 1 to 5 s" {
				t.Errorf("closed with %d %q", code, reason)
			}
			_ = c.Conn.Close()
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		for range clients {
			if err := <-ends; err != nil {
				t.Errorf("ended with %v", err)
			}
		}
		c := edgetest.TryDial(t, base+v.path)
		if c.Response.StatusCode != 503 || c.Response.Header.Get("Retry-After") == "" {
			t.Errorf("after the shutdown: %s", c.Response.Status)
		}
	})
}

// TestShutdownCuts: a peer that neither reads nor answers does not hold it up.
func TestShutdownCuts(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, rt, _ := echo(t, v.with(Config{CloseTimeout: time.Hour}), 0)
		c := edgetest.Dial(t, base+v.path)
		c.Text("hi")
		c.ExpectText("hi")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := rt.Shutdown(ctx, refusal.CloseServiceRestart, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
	})
}

// TestShutdownBetween: a handshake that was let through when Shutdown came in
// between is answered, not cut.
func TestShutdownBetween(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, rt, _ := echo(t, v.with(Config{}), 0)
		rt.conns.shut()
		c := edgetest.TryDial(t, base+v.path)
		body, err := io.ReadAll(c.Response.Body)
		if err != nil || c.Response.StatusCode != 503 || c.Response.Header.Get("Retry-After") == "" || !strings.Contains(string(body), `"code":"unavailable"`) {
			t.Errorf("%s %v %q, %v", c.Response.Status, c.Response.Header, body, err)
		}
	})
}
