package hub

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/codec"
)

// TestAwait: who waits hears of the next message, once each, and leaves nothing behind.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{})
		head := func() codec.ID { return h.cfg.Log.Head("den") }
		woken := make(chan error, 3)
		for range 3 {
			go func() { woken <- h.Await(t.Context(), "den", head()) }()
		}
		synctest.Wait()
		if len(woken) != 0 {
			t.Fatal("woken by nothing")
		}
		if s := h.Stats(); s.Members != 0 || s.Quiet != 0 || len(h.Rooms()) != 0 {
			t.Errorf("who waits is counted: %+v", s)
		}
		before := head()
		if err := h.Publish("den", codec.Message{Username: "x", Content: "hi"}, "", codec.Done{}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := <-woken; err != nil {
				t.Error(err)
			}
		}
		if err := h.Await(t.Context(), "den", before); err != nil {
			t.Errorf("what is there already: %v", err)
		}
		gone := errors.New("gone")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, gone)
		defer cancel()
		if err := h.Await(ctx, "den", head()); !errors.Is(err, gone) {
			t.Errorf("the end of the context: %v", err)
		}
		if s := h.Stats(); s.Rooms != 0 {
			t.Errorf("left over: %+v", s)
		}
	})
}
