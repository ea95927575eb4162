package cluster

import (
	"errors"
	"testing"

	"edgechat/codec"
)

// TestSentAgainInVain: an edit that had no effect, since what it changes was gone, is told so whether the engine has just taken it or knows it by its key.
func TestSentAgainInVain(t *testing.T) {
	l, _ := newLog(t)
	position := PositionOf(1, 7)
	l.void(position)
	for _, again := range []bool{false, true} {
		var told codec.Receipt
		l.settled(&pending{room: "den", as: Outcome{Position: position, Offset: 7, Duplicate: again}, done: codec.Done{Tell: func(r codec.Receipt) { told = r }}})
		if !errors.Is(told.Err, codec.ErrNoTarget) {
			t.Errorf("known by its key: %t: told %+v", again, told)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
