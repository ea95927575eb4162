package logtest

import (
	"fmt"
	"sync"
	"testing"

	"edgechat/codec"
)

// keys: one key, one message of a room, for as long as that is in the buffer; also after a restart.
func keys(t *testing.T, m Maker) {
	w, n := one(t, m, 5)
	first := n.say("den", "once", "k")
	if again := n.say("den", "twice", "k"); again != first {
		t.Errorf("the second is %s, the first %s", again, first)
	}
	if other := n.say("hall", "once", "k"); other.Offset != 1 {
		t.Errorf("in another room it is %s", other)
	}
	if other := n.say("den", "other", "l"); other.Offset != 2 {
		t.Errorf("with another key it is %s", other)
	}
	if seen := n.delivered("den"); len(seen) != 2 || seen[0].Content != "once" {
		t.Errorf("delivered: %+v", seen)
	}
	n = listen(t, w.Restart(t, 0))
	if again := n.say("den", "thrice", "k"); again != first {
		t.Errorf("after a restart it is %s, the first %s", again, first)
	}
}

// keysAtOnce: whoever sends a key first, on whichever node, all get one receipt, and nobody sees two messages.
func keysAtOnce(t *testing.T, m Maker) {
	const tries = 20
	nodes := each(t, m, m.New(t, max(1, m.Nodes), 1000))
	for k := range tries {
		var wg sync.WaitGroup
		var mu sync.Mutex
		ids := map[codec.ID]int{}
		for i, n := range nodes {
			for range 3 {
				wg.Go(func() {
					r := n.try("den", message(fmt.Sprint(k, " of ", i)), codec.Claim{}, fmt.Sprint("key", k))
					mu.Lock()
					defer mu.Unlock()
					if ids[r.ID]++; r.Err != nil || !r.Durable {
						t.Errorf("receipt %+v", r)
					}
				})
			}
		}
		wg.Wait()
		if len(ids) != 1 {
			t.Fatalf("key %d has the ids %v", k, ids)
		}
	}
	for _, n := range nodes {
		Eventually(t, "all are delivered", func() bool { return len(n.delivered("den")) >= tries })
		if seen := n.delivered("den"); len(seen) != tries {
			t.Errorf("%d messages with %d keys", len(seen), tries)
		}
	}
}
