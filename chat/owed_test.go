package chat

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/hub"
	"edgechat/internal/edgetest"
	"edgechat/store"
)

// TestManyAcks: one member says more under keys, without a pause, than the acks of one commit may take that
// wait for it. It reads all it gets, and so gets an ack for each: it is not closed as too slow.
func TestManyAcks(t *testing.T) {
	const n = 20_000
	r := newRig(t, func(s *setup) { s.store = store.Config{Path: s.store.Path, AckDelay: 100 * time.Millisecond} })
	c := r.room("den", "username=fast", jsonHeader)
	c.Timeout = time.Minute
	var writer sync.WaitGroup
	writer.Go(func() {
		var buf []byte
		for i := range n {
			buf = append(buf, edgetest.Frame(edgetest.OpText, fmt.Appendf(nil, `{"type":"message","content":"x","idempotency_key":"%d"}`, i))...)
			if len(buf) < 32<<10 && i < n-1 {
				continue
			}
			if _, err := c.Conn.Write(buf); err != nil {
				t.Errorf("cut before message %d: %v", i, err)
				return
			}
			buf = buf[:0]
		}
	})
	defer writer.Wait()
	for i := range n {
		if ack := c.JSONOf("ack"); ack["durable"] != true {
			t.Fatalf("ack %d: %v", i, ack)
		}
	}
	if st := r.stats(); st.AckPauses == 0 || st.AcksRefused > 0 {
		t.Errorf("%+v", st)
	}
	t.Logf("%+v", r.stats())
}

// A hangingDisk is a log that tells no receipt before it is let go.
type hangingDisk struct {
	hub.Log
	let chan struct{}
}

func (d *hangingDisk) Append(room string, m codec.Message, key string, done codec.Done) error {
	if tell := done.Tell; tell != nil && !done.Early {
		done.Tell = func(r codec.Receipt) { <-d.let; tell(r) }
	}
	return d.Log.Append(room, m, key, done)
}

// TestLateAcks: while the disk does not answer, who is owed many acks is heard all the same, and is told
// of what comes then that it is not durable.
func TestLateAcks(t *testing.T) {
	const most, n = 10, 300
	disk := &hangingDisk{let: make(chan struct{})}
	r := newRig(t, func(s *setup) {
		s.chat.OwedBytes, s.chat.OwedPatience = int(most*ackCost("", "000")), 50*time.Millisecond
		s.log = func(l hub.Log) hub.Log { disk.Log = l; return disk }
	})
	release := sync.OnceFunc(func() { close(disk.let) })
	defer release()
	reader := r.room("den", "", jsonHeader)
	reader.JSONOf("joined")
	c := r.room("den", "username=fast", jsonHeader)
	say := func(key int) {
		c.Text(fmt.Sprintf(`{"type":"message","content":"x","idempotency_key":"%03d"}`, key))
	}
	for i := range n {
		say(i)
	}
	for range n {
		reader.JSONOf("message")
	}
	refused := 0
	for ; refused < n/2; refused++ { // what gws had read when it was paused waits for the disk as well
		if ack := c.JSONOf("ack"); ack["durable"] != false {
			t.Fatalf("%v while the disk does not answer", ack)
		}
	}
	release()
	durable := 0
	for refused+durable < n {
		if c.JSONOf("ack")["durable"] == true {
			durable++
		} else {
			refused++
		}
	}
	if st := r.stats(); durable <= most || st.AckPauses != 1 || st.AcksRefused != uint64(refused) {
		t.Errorf("%d durable, %d not, %+v", durable, refused, st)
	}
	say(n - 1) // which is on disk by now
	if ack := c.JSONOf("ack"); ack["durable"] != true {
		t.Errorf("%v of a message that is on disk", ack)
	}
}
