package client

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/internal/edgetest"
)

// What the server cannot take now is kept, and sent again under its key until it can; then all of it goes at once.
func TestUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		joined := s.join(Config{Username: "Ann", WriteOnly: true})
		c, _ := s.accept(welcome)
		r := <-joined
		acks := make(chan Ack, 3)
		began := time.Now()
		go func() {
			for _, text := range []string{"one", "two", "three"} {
				acks <- say(t, r, text)
			}
		}()
		for range 5 {
			f := string(receive(t, c))
			if !strings.Contains(f, `"content":"one"`) {
				t.Fatalf("%s is sent before one is taken", f)
			}
			c.Raw(unmasked(edgetest.OpText, `{"type":"error","code":"unavailable","message":"later","retry_after_ms":1000,"idempotency_key":"`+keyOf(f)+`"}`))
		}
		for _, want := range []string{"one", "two", "three"} {
			f := string(receive(t, c))
			if !strings.Contains(f, `"content":"`+want+`"`) {
				t.Fatalf("%s in place of %s", f, want)
			}
			c.Raw(unmasked(edgetest.OpText, `{"type":"ack","idempotency_key":"`+keyOf(f)+`","id":"e-9","offset":9,"durable":true}`))
			<-acks
		}
		if took := time.Since(began); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("that took %v", took)
		}
		r.Close()
		time.Sleep(time.Minute) // the other side
	})
}

// keyOf returns the key of a frame.
func keyOf(f string) string {
	_, key, _ := strings.Cut(f, `"idempotency_key":"`)
	key, _, _ = strings.Cut(key, `"`)
	return key
}
