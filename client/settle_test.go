package client

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/server"
)

// ackOf is what a server says to a frame that it has stored.
func ackOf(f string) []byte {
	return unmasked(edgetest.OpText, `{"type":"ack","idempotency_key":"`+keyOf(f)+`","id":"e-9","offset":9,"durable":true}`)
}

// TestKeys: a key that is none is refused before it is sent; the server would answer without it.
func TestKeys(t *testing.T) {
	b := newBoard(t, server.Config{})
	w := in(t, Config{URL: b.url, Username: "Bob", WriteOnly: true})
	for _, key := range []string{"", strings.Repeat("k", 65), "a\nb", strings.Repeat("k", 40_000)} {
		if _, err := w.PublishKey(t.Context(), key, "hi"); !isRefusal(err, "invalid_message") {
			t.Errorf("a key of %d bytes: %v", len(key), err)
		}
	}
	if _, err := w.PublishKey(t.Context(), strings.Repeat("ü", 64), "hi"); err != nil {
		t.Error(err)
	}
}

// TestTooLongAlone: a server comes back that takes less. What closes the connection is refused, and nothing that is under way with it.
func TestTooLongAlone(t *testing.T) {
	b := newBoard(t, server.Config{MaxContent: 65536})
	w := in(t, Config{URL: b.url, Username: "Bob", WriteOnly: true})
	b.stop()
	pending := func(n int) {
		for len(pendingOf(w)) < n {
			time.Sleep(time.Millisecond)
		}
	}
	long, short := make(chan error, 1), make(chan error, 3)
	go func() { _, err := w.Publish(t.Context(), strings.Repeat("k", 60_000)); long <- err }()
	pending(1)
	for i := range 3 {
		go func() { _, err := w.Publish(t.Context(), fmt.Sprint(i)); short <- err }()
	}
	pending(4)
	b.cfg.MaxContent = 1000
	b.start()
	if err := <-long; err == nil {
		t.Error("60,000 bytes were taken")
	}
	for range 3 {
		if err := <-short; err != nil {
			t.Error(err)
		}
	}
}

// TestGivenUp: what is given up makes room for the next at once.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		joined := s.join(Config{WriteOnly: true, Window: 1})
		c, _ := s.accept(welcome)
		r := <-joined
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, _ = r.Publish(ctx, "first")
		}()
		_ = receive(t, c) // and its ack never comes
		began := time.Now()
		second := make(chan error, 1)
		go func() { _, err := r.Publish(t.Context(), "second"); second <- err }()
		f := string(receive(t, c))
		if took := time.Since(began); took != time.Second {
			t.Errorf("%s came after %v", f, took)
		}
		c.Raw(ackOf(f))
		if err := <-second; err != nil {
			t.Error(err)
		}
		go func() { _, _, _ = readFrame(c) }() // the close frame
		r.Close()
	})
}

// TestEachAckTimeout: one message without an ack has the connection replaced, whatever comes of others.
func TestEachAckTimeout(t *testing.T) {
	for name, answer := range map[string]func(f string) []byte{
		"others are acknowledged": ackOf,
		"others are refused": func(f string) []byte {
			return unmasked(edgetest.OpText, `{"type":"error","code":"rate_limited","message":"later","retry_after_ms":100,"idempotency_key":"`+keyOf(f)+`"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				joined := s.join(Config{WriteOnly: true})
				c, _ := s.accept(welcome)
				r := <-joined
				first := make(chan error, 1)
				go func() { _, err := r.Publish(t.Context(), "first"); first <- err }()
				_ = receive(t, c) // and its ack never comes
				began := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					for ctx.Err() == nil {
						_, _ = r.Publish(ctx, "another")
						time.Sleep(4 * time.Second)
					}
				}()
				for {
					op, p, err := readFrame(c)
					if err != nil {
						break // it is replaced
					}
					if f := string(p); op == edgetest.OpText && strings.Contains(f, "content") {
						c.Raw(answer(f))
					} else if op == edgetest.OpText {
						c.Raw(unmasked(edgetest.OpText, `{"type":"pong"}`))
					}
					if time.Since(began) > time.Minute {
						t.Error("it is not replaced")
						break
					}
				}
				cancel()
				c, _ = s.accept(welcome)
				f := string(receive(t, c))
				if !strings.Contains(f, `"first"`) {
					t.Errorf("%s is sent again", f)
				}
				c.Raw(ackOf(f))
				if err := <-first; err != nil {
					t.Error(err)
				}
				go func() { _, _, _ = readFrame(c) }() // the close frame
				r.Close()
				time.Sleep(5 * time.Second) // who says another
			})
		})
	}
}

// TestPaceEnds: slow mode holds what comes behind once, and not for ever.
func TestPaceEnds(t *testing.T) {
	for _, window := range []int{1, 20} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			joined := s.join(Config{WriteOnly: true, Window: window})
			c, _ := s.accept(welcome)
			r := <-joined
			took := make(chan []time.Duration, 1)
			go func() {
				var list []time.Duration
				for i := range 5 {
					began := time.Now()
					_ = say(t, r, fmt.Sprint(i))
					list = append(list, time.Since(began))
				}
				took <- list
			}()
			for n := 0; n < 6; {
				f := string(receive(t, c))
				if !strings.Contains(f, "content") {
					c.Raw(unmasked(edgetest.OpText, `{"type":"pong"}`))
					continue
				}
				if n++; n == 1 {
					c.Raw(unmasked(edgetest.OpText, `{"type":"error","code":"slow_mode","message":"later","retry_after_ms":60000,"idempotency_key":"`+keyOf(f)+`"}`))
				} else {
					c.Raw(ackOf(f))
				}
			}
			if list := <-took; list[0] != time.Minute || list[4] != 0 {
				t.Errorf("window %d: they took %v", window, list)
			}
			go func() { _, _, _ = readFrame(c) }() // the close frame
			r.Close()
		})
	}
}
