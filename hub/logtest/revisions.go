package logtest

import (
	"errors"
	"sync"
	"testing"

	"edgechat/codec"
)

func edit(target codec.ID, content string) codec.Message {
	return codec.Message{Kind: codec.Edit, Username: "ann", Target: target, Content: content, Time: 1_700_000_000_001}
}

func deletion(target codec.ID) codec.Message {
	return codec.Message{Kind: codec.Deletion, Username: "ann", Target: target, Time: 1_700_000_000_002}
}

var mine = codec.Claim{Authors: [2]uint64{7}}

// edits: a revision is numbered and delivered as a message is, and what is read of its target is what it says.
func edits(t *testing.T, m Maker) {
	w, n := one(t, m, 100)
	ids := n.sayAll("den", 1, 3)
	if r := n.try("den", edit(ids[0], "one"), mine, ""); r.Err != nil || !r.Durable || r.ID.Offset != 4 {
		t.Fatalf("receipt %+v", r)
	}
	if r := n.try("den", deletion(ids[1]), mine, ""); r.Err != nil || r.ID.Offset != 5 {
		t.Fatalf("receipt %+v", r)
	}
	seen := n.delivered("den")
	if len(seen) != 5 || seen[3].Kind != codec.Edit || seen[3].Target != ids[0] || seen[3].Content != "one" || seen[4].Kind != codec.Deletion || seen[4].Target != ids[1] {
		t.Errorf("delivered %+v", seen)
	}
	check := func() {
		t.Helper()
		got := n.page("den", codec.Query{}).Messages
		if len(got) != 5 || got[0].Content != "one" || !got[0].Edited || got[1].Content != "" || !got[1].Deleted || got[2].Content != "3" || got[2].Edited || got[2].Deleted {
			t.Errorf("read %+v", got)
		}
	}
	check()
	n = listen(t, w.Restart(t, 0))
	check()
	if r := n.try("den", edit(ids[0], "uno"), mine, ""); r.Err != nil || r.ID.Offset != 6 {
		t.Errorf("after a restart: %+v", r)
	}
}

// claims: only the author changes a message, and nobody one that is not there.
func claims(t *testing.T, m Maker) {
	_, n := one(t, m, 100)
	id := n.say("den", "x", "")
	if r := n.try("den", edit(id, "y"), codec.Claim{Authors: [2]uint64{8}}, ""); !errors.Is(r.Err, codec.ErrNotAuthor) {
		t.Errorf("by another: %+v", r)
	}
	if r := n.try("den", edit(codec.ID{Epoch: id.Epoch, Offset: 2}, "y"), codec.Claim{All: true}, ""); !errors.Is(r.Err, codec.ErrNoTarget) {
		t.Errorf("of what is not there: %+v", r)
	}
	if r := n.try("den", deletion(id), codec.Claim{All: true}, ""); r.Err != nil || r.ID.Offset != 2 {
		t.Errorf("by a moderator: %+v", r)
	}
	if r := n.try("den", edit(id, "z"), mine, ""); !errors.Is(r.Err, codec.ErrNoTarget) {
		t.Errorf("of what was deleted: %+v", r)
	}
}

// deletedOnce: of those who delete a message at the same time, on whichever nodes, one has done it.
func deletedOnce(t *testing.T, m Maker) {
	nodes := each(t, m, m.New(t, max(1, m.Nodes), 100))
	for range 10 {
		id := nodes[0].say("den", "x", "")
		for _, n := range nodes {
			Eventually(t, "it is everywhere", func() bool { return n.Head("den").Offset >= id.Offset })
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		done := 0
		for _, n := range nodes {
			for range 2 {
				wg.Go(func() {
					r := n.try("den", deletion(id), mine, "")
					mu.Lock()
					defer mu.Unlock()
					if r.Err == nil {
						done++
					} else if !errors.Is(r.Err, codec.ErrNoTarget) {
						t.Errorf("%+v", r)
					}
				})
			}
		}
		wg.Wait()
		if done != 1 {
			t.Errorf("%s was deleted %d times", id, done)
		}
	}
}
