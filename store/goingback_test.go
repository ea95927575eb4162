package store

import (
	"testing"
	"time"

	"edgechat/codec"
)

// TestReadWhileGoingBack: whoever reads does not wait while the file is made that a store goes back to, which may take long on a slow card.
func TestReadWhileGoingBack(t *testing.T) {
	f, l := follow(t, Config{}), newLeader()
	apply(t, f, l.say("den", "1"), l.say("den", "2"))
	err := f.rewrite(func(*state) {}, func(room string, _ *place, records []Positioned) []Positioned {
		told := make(chan codec.ID, 1)
		go func() { told <- f.Head(room) }() // ends once it is told
		select {
		case id := <-told:
			if id.Offset != 2 {
				t.Errorf("head %s", id)
			}
		case <-time.After(30 * time.Second):
			t.Error("who asks for the newest message waits until the file is made")
		}
		return records
	})
	if err != nil {
		t.Fatal(err)
	}
	if id := f.Head("den"); id.Offset != 2 {
		t.Errorf("head %s afterwards", id)
	}
}
