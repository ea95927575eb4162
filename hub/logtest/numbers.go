package logtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"edgechat/codec"
)

// numbers: offsets begin with 1 and have no gap, in each room for itself. Head and Oldest tell them.
func numbers(t *testing.T, m Maker) {
	_, n := one(t, m, 100)
	if head, oldest := n.Head("den"), n.Oldest("den"); head.Offset != 0 || head.Epoch == "" || oldest != (codec.ID{}) {
		t.Errorf("an empty room: head %v, oldest %v", head, oldest)
	}
	ids := n.sayAll("den", 1, 5)
	for i, id := range ids {
		if id.Offset != uint64(i+1) || id.Epoch != n.Head("den").Epoch {
			t.Errorf("message %d is %s", i+1, id)
		}
	}
	if id := n.say("hall", "x", ""); id.Offset != 1 {
		t.Errorf("the first of another room is %s", id)
	}
	if head := n.Head("den"); head != ids[4] {
		t.Errorf("head is %s, want %s", head, ids[4])
	}
	if oldest := n.Oldest("den"); oldest != ids[0] {
		t.Errorf("oldest is %s, want %s", oldest, ids[0])
	}
	seen := n.delivered("den")
	if len(seen) != 5 {
		t.Fatalf("%d were delivered", len(seen))
	}
	for i, got := range n.page("den", codec.Query{}).Messages {
		want := message(fmt.Sprint(i + 1))
		want.ID = ids[i]
		got.Author, want.Author = 0, 0 // what a page has of it is the Log's own matter
		if got != want {
			t.Errorf("read %+v, want %+v", got, want)
		}
		seen[i].Author = 0
		if seen[i] != want {
			t.Errorf("delivered %+v, want %+v", seen[i], want)
		}
	}
}

// receipts: each is told once; an early one has the number that the message is delivered with.
func receipts(t *testing.T, m Maker) {
	_, n := one(t, m, 1000)
	const each = 100
	var mu sync.Mutex
	told := map[string][]codec.Receipt{}
	var wg sync.WaitGroup
	for i := range 2 * each {
		wg.Add(1)
		content := fmt.Sprint(i)
		err := n.Append("den", message(content), "", codec.Done{Early: i%2 == 0, Tell: func(r codec.Receipt) {
			mu.Lock()
			told[content] = append(told[content], r)
			if len(told[content]) == 1 {
				wg.Done()
			}
			mu.Unlock()
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	n.say("den", "last", "")
	mu.Lock()
	defer mu.Unlock()
	for _, x := range n.delivered("den")[:2*each] {
		if rs := told[x.Content]; len(rs) != 1 || rs[0].ID != x.ID || rs[0].Err != nil {
			t.Errorf("%s was delivered as %s and told %+v", x.Content, x.ID, rs)
		}
	}
}

// refused: what no log takes is said by the call.
func refused(t *testing.T, m Maker) {
	_, n := one(t, m, 10)
	tell := codec.Done{Tell: func(r codec.Receipt) { t.Errorf("told %+v", r) }}
	if err := n.Append("", message("x"), "", tell); err == nil {
		t.Error("a room without a name was taken")
	}
	gone := codec.Message{Kind: codec.Deletion, Username: "ann", Target: codec.ID{Epoch: "none", Offset: 1}}
	if r := n.try("den", gone, codec.Claim{All: true}, ""); !errors.Is(r.Err, codec.ErrNoTarget) {
		t.Errorf("a deletion of nothing: %+v", r)
	}
	if id := n.say("den", "x", ""); id.Offset != 1 {
		t.Errorf("what was refused got a number: the next is %s", id)
	}
}

// atOnce appends to the same rooms on all nodes from many goroutines: each message gets one number, and all nodes see one
// order.
func atOnce(t *testing.T, m Maker) {
	const writers, rooms, messages = 4, 3, 60
	nodes := each(t, m, m.New(t, max(1, m.Nodes), 10_000))
	var wg sync.WaitGroup
	for i, n := range nodes {
		for w := range writers {
			wg.Go(func() {
				for k := range messages {
					room := fmt.Sprint("room", (w+k)%rooms)
					key := ""
					if k%2 == 0 {
						key = fmt.Sprint("key", i, " ", w, " ", k)
					}
					c := make(chan codec.Receipt, 1)
					err := n.Append(room, message(fmt.Sprint(i, ".", w, ".", k)), key, codec.Done{Tell: func(r codec.Receipt) { c <- r }})
					if err != nil {
						t.Error(err)
						return
					}
					if k%10 == 0 {
						if r := <-c; r.Err != nil || !r.Durable {
							t.Errorf("receipt %+v", r)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	total := len(nodes) * writers * messages / rooms
	for r := range rooms {
		room := fmt.Sprint("room", r)
		var first []codec.Message
		for i, n := range nodes {
			Eventually(t, "all are delivered", func() bool { return len(n.delivered(room)) >= total })
			seen := n.delivered(room)
			once := map[string]bool{}
			for k, x := range seen {
				if x.ID.Offset != uint64(k+1) || once[x.Content] {
					t.Fatalf("node %d: message %d of %s is %s %q", i, k+1, room, x.ID, x.Content)
				}
				once[x.Content] = true
			}
			if i == 0 {
				first = seen
			}
			for k, x := range n.page(room, codec.Query{}).Messages {
				if x.ID != first[k].ID || x.Content != first[k].Content {
					t.Fatalf("node %d has %s %q in %s, node 0 was delivered %s %q", i, x.ID, x.Content, room, first[k].ID, first[k].Content)
				}
			}
		}
	}
}
