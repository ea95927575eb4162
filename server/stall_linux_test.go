package server

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

// TestStall has the card stand still for seconds, as cards do that reorganize
// themselves: no write comes back, so that the store's commit waits in the kernel.
// Messages flow, history has them, memory is bounded; only acks wait, and come
// once the card goes on.
func TestStall(t *testing.T) {
	t.Parallel()
	card := faultydisk.New(t, 64<<20)
	const history = 100
	s := start(t, Config{Data: filepath.Join(card.Dir, "data"), History: history})
	alice := edgetest.Dial(t, s.url+"/chat/room/den?username=alice", jsonProtocol)
	alice.JSONOf("subscribed")
	bob := edgetest.Dial(t, s.url+"/chat/room/den?username=bob", jsonProtocol)
	bob.JSONOf("subscribed")
	publish := func(key string) {
		alice.Text(fmt.Sprintf(`{"type":"message","content":"said with %[1]s","idempotency_key":"%[1]s"}`, key))
	}
	hears := func(key string) (id string) {
		t.Helper()
		m := bob.JSONOf("message")
		if m["content"] != "said with "+key {
			t.Fatalf("bob got %v, want what was said with %s", m, key)
		}
		return m["id"].(string)
	}
	publish("before")
	hears("before")
	if ack := alice.JSONOf("ack"); ack["idempotency_key"] != "before" || ack["durable"] != true {
		t.Fatalf("ack %v", ack)
	}

	written := s.Stats().Store.Written
	card.Set(faultydisk.Write, faultydisk.Fault{Hang: true})
	frozen := time.Now()
	ids := make(map[string]string)
	slowest := time.Duration(0)
	const acked = 30
	for i := range acked {
		key := fmt.Sprint("k", i)
		began := time.Now()
		publish(key)
		ids[key] = hears(key)
		slowest = max(slowest, time.Since(began))
		time.Sleep(100 * time.Millisecond)
	}
	if slowest > 10*time.Second { // else it has waited for the card, and does so still
		t.Errorf("a message took %v to its member while the card stood still", slowest)
	}

	// They are not on disk, and are in the history that anybody gets.
	_, body := fetch(t, "GET", s.url+"/chat/room/den/messages?limit=30")
	var page struct {
		Messages []struct{ Content string }
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if n := len(page.Messages); n != acked || page.Messages[0].Content != "said with k0" || page.Messages[n-1].Content != "said with k29" {
		t.Errorf("history: %s", body)
	}
	carol := edgetest.Dial(t, s.url+"/chat/room/den?since="+ids["k28"], jsonProtocol)
	carol.JSONOf("subscribed")
	if m := carol.JSONOf("message"); m["content"] != "said with k29" {
		t.Errorf("a replay: %v", m)
	}
	carol.Close()
	if st := s.Stats().Store; st.Written != written || st.Waiting != acked || st.Degraded {
		t.Errorf("after %v of a card that stands still: %+v", time.Since(frozen), st)
	}

	// More than the buffer holds. What left it is let go of: the store keeps twice
	// the buffer, or 8192 messages if that is more (store/queue.go), beside what a commit has
	// in hand.
	const flood = 20_000
	dave := edgetest.Dial(t, s.url+"/chat/room/hall?username=dave", jsonProtocol)
	dave.JSONOf("subscribed")
	pending := 0
	for i := range flood {
		if err := s.hub.Publish("hall", codec.Message{Username: "x", Content: fmt.Sprint(i)}, "", codec.Done{}); err != nil {
			t.Fatal(err)
		}
		if i%500 == 499 {
			for dave.JSONOf("message")["content"] != fmt.Sprint(i) {
			}
			pending = max(pending, s.Stats().Store.Pending)
		}
	}
	if pending > 8192 {
		t.Errorf("%d messages are kept for a card that stands still, of a buffer of %d", pending, 2*history)
	}
	if st := s.Stats().Store; st.Unwritten < flood-8192 || st.Written != written {
		t.Errorf("%+v", st)
	}
	if _, body := fetch(t, "GET", s.url+"/chat/room/hall/messages?limit=1"); !strings.Contains(body, `"19999"`) {
		t.Errorf("history: %s", body)
	}

	// alice has her own messages by now, and no ack before the card goes on.
	for range acked {
		for m := alice.JSON(); m["type"] != "message"; m = alice.JSON() {
			if m["type"] == "ack" {
				t.Fatalf("%v while the card stands still", m)
			}
		}
	}
	card.Mend()
	for range acked {
		ack := alice.JSONOf("ack")
		key, _ := ack["idempotency_key"].(string)
		if ack["id"] != ids[key] || ack["durable"] != true {
			t.Errorf("%v, want the id %s", ack, ids[key])
		}
		delete(ids, key)
	}
	if len(ids) > 0 {
		t.Errorf("no ack for %v", ids)
	}
	t.Logf("a card that stood still for %v; %v for a message at most", time.Since(frozen).Round(time.Millisecond), slowest)
}
