package chat

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

// onUnix has the rig serve a unix socket too, whose connections have the goroutine driver, and
// returns how to connect to GET /chat there.
func (r *rig) onUnix() (dial func(query string) *edgetest.Client) {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		r.t.Fatal(err)
	}
	srv := &http.Server{Handler: r.rt}
	served, entry := make(chan error, 1), r.rt.Listen(l)
	go func() { served <- srv.Serve(entry) }()
	r.t.Cleanup(func() { _ = srv.Close(); <-served })
	return func(query string) *edgetest.Client {
		conn, err := net.Dial("unix", path)
		if err != nil {
			r.t.Error(err)
			return nil
		}
		r.t.Cleanup(func() { _ = conn.Close() })
		c := edgetest.NewClient(r.t, conn)
		c.Raw([]byte(edgetest.Handshake(&url.URL{Host: "x", Path: "/chat", RawQuery: query}, jsonHeader)))
		c.ReadResponse()
		c.JSONOf("welcome")
		return c
	}
}

// TestManyLoad: two hundred connections with sixteen rooms each, which all of them write to, and
// which are cut once. In each of its rooms each connection sees every message once, in order.
func TestManyLoad(t *testing.T) {
	t.Run("loops", func(t *testing.T) {
		r := newRig(t, patient)
		testManyLoad(t, r, func(query string) *edgetest.Client { return r.many(query) })
	})
	t.Run("goroutines", func(t *testing.T) {
		r := newRig(t, patient)
		testManyLoad(t, r, r.onUnix())
	})
}

// patient has a server wait for readers that share a busy machine with it.
func patient(s *setup) { s.ws.WriteTimeout = time.Minute }

func testManyLoad(t *testing.T, r *rig, dial func(query string) *edgetest.Client) {
	const conns, each, rooms, rounds = 200, 16, 100, 10
	name := func(i int) string { return fmt.Sprintf("room%d", i%rooms) }
	target := map[string]uint64{} // messages of each room in the end
	for i := range rooms {
		target[name(i)] = 2 * rounds
	}
	for c := range conns {
		for k := range each {
			target[name(c*7+k*13)]++
		}
	}
	var cut atomic.Int64 // connections that have been
	var work sync.WaitGroup
	work.Go(func() {
		for round := range 2 * rounds {
			for round >= rounds && cut.Load() < conns/2 && !t.Failed() { // the other half finds these live, the first in its replay
				time.Sleep(time.Millisecond)
			}
			for i := range rooms {
				r.say(name(i), name(i))
			}
		}
	})
	for n := range conns {
		work.Go(func() {
			who := &manyReader{t: t, last: map[string]uint64{}, ids: map[string]string{}}
			c := dial("username=x")
			c.Timeout = time.Minute // two hundred of them on a machine that is busy
			for k := range each {
				room := name(n*7 + k*13)
				c.Text(fmt.Sprintf(`{"type":"join","room":%q,"since":"all","announce":%t}`, room, k%2 == 0))
			}
			for sent := 0; (sent < each || who.acks < each) && !t.Failed(); {
				if room := who.read(c); room != "" { // subscribed
					c.Text(fmt.Sprintf(`{"type":"message","room":%q,"content":%q,"idempotency_key":"%d"}`, room, room, n))
					sent++
				}
			}
			_ = c.Conn.Close()
			cut.Add(1)

			c = dial("username=x")
			c.Timeout = time.Minute
			for room, id := range who.ids {
				c.Text(fmt.Sprintf(`{"type":"join","room":%q,"since":%q,"announce":false}`, room, id))
			}
			behind := func() bool {
				for room, last := range who.last {
					if last < target[room] {
						return true
					}
				}
				return len(who.last) < each
			}
			for behind() && !t.Failed() {
				who.read(c)
			}
			_ = c.Conn.Close()
		})
	}
	work.Wait()
	for room, n := range target {
		if head := r.store.Head(room); head.Offset != n {
			t.Errorf("%s has %d messages, %d were sent", room, head.Offset, n)
		}
	}
	if s := r.hub.Stats(); s.Lost != 0 || r.rt.Stats().Slow != 0 {
		t.Errorf("somebody was closed: %+v %+v", s, r.rt.Stats())
	}
	eventually(t, "all have left", func() bool { return r.hub.Stats().Rooms == 0 })
}

// A manyReader is what one client knows of its rooms.
type manyReader struct {
	t    *testing.T
	last map[string]uint64 // offset of the newest message by room
	ids  map[string]string // and its id
	acks int
}

// read checks one frame, and returns the room if that is subscribed.
func (m *manyReader) read(c *edgetest.Client) (subscribed string) {
	_, p, err := c.Read()
	var f struct {
		Type, Room, Content, ID string
		Offset                  uint64
		Recovered               bool
		WasRecovering           bool `json:"was_recovering"`
	}
	if err == nil && len(p) > 0 {
		err = json.Unmarshal(p, &f)
	}
	switch {
	case err != nil:
		m.t.Errorf("%q: %v", p, err)
	case f.Type == "subscribed":
		if f.WasRecovering != f.Recovered {
			m.t.Errorf("not recovered: %s", p)
		}
		if m.ids[f.Room] == "" {
			id, err := codec.ParseID(f.ID)
			if err != nil {
				m.t.Error(err)
			}
			m.ids[f.Room], m.last[f.Room] = codec.ID{Epoch: id.Epoch}.String(), 0
		}
		return f.Room
	case f.Type == "message":
		if f.Offset != m.last[f.Room]+1 || f.Content != f.Room || m.ids[f.Room] == "" {
			m.t.Errorf("%s came behind message %d", p, m.last[f.Room])
		}
		m.last[f.Room], m.ids[f.Room] = f.Offset, f.ID
	case f.Type == "ack":
		m.acks++
	case f.Type == "error":
		m.t.Errorf("%s", p)
	}
	return ""
}
