package chat

import (
	"io"
	"math"
	"net"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// discard reads a connection to its end and allocates nothing meanwhile.
func discard(c net.Conn) {
	_ = c.SetDeadline(time.Time{})
	buf := make([]byte, 64<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// TestPublishAllocs bounds what a message costs from socket to sockets, in
// both formats, with a hundred members; commits, of which there are few, are
// not in it.
func TestPublishAllocs(t *testing.T) {
	if edgetest.Race {
		t.Skip("make test counts allocations without the race detector")
	}
	r := newRig(t, func(s *setup) { s.store.SyncInterval = time.Hour })
	for range 100 {
		go discard(r.room("den", "").Conn) // ends with the test's connections
	}
	for name, frame := range map[string][]byte{
		"JSON":        edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"how long is a piece of string, and who is to say?"}`)),
		"MessagePack": edgetest.Frame(edgetest.OpBinary, []byte("\x82\xa4type\xa7message\xa7content\xd9\x32how long is a piece of string, and who is to say?.")),
	} {
		c := r.room("den", "format=json")
		c.JSONOf("joined")
		buf := make([]byte, 64<<10)
		header := make([]byte, 4)
		receive := func() {
			if _, err := io.ReadFull(c.Conn, header); err != nil {
				t.Fatal(err)
			}
			n := edgetest.FrameLen(header) - len(header)
			if _, err := io.ReadFull(c.Conn, buf[:n]); err != nil {
				t.Fatal(err)
			}
		}
		// The least of some rounds: a round in which the machine was busy, and
		// frames piled up, says nothing of a message.
		n := math.Inf(1)
		for range 5 {
			_ = c.Conn.SetDeadline(time.Now().Add(time.Minute))
			n = min(n, testing.AllocsPerRun(500, func() {
				if _, err := c.Conn.Write(frame); err != nil {
					t.Fatal(err)
				}
				receive()
			}))
		}
		if n > 2 { // gws's *Message, and the content
			t.Errorf("%s: %v allocations for a message to 100 members", name, n)
		}
		c.Close()
		eventually(t, "it has left", func() bool { return len(r.hub.Members("den")) == 1 && r.hub.Stats().Members == 100 })
	}
}

// BenchmarkMessage is one message from a socket to the sockets of a hundred
// members, the writing of whom is nearly all of it.
func BenchmarkMessage(b *testing.B) {
	for _, test := range []struct {
		name    string
		formats []string
	}{{"json", []string{"json"}}, {"msgpack", []string{"msgpack"}}, {"both", []string{"json", "msgpack"}}} {
		b.Run(test.name, func(b *testing.B) {
			r := newRig(b, func(s *setup) { s.store.SyncInterval = time.Hour })
			for i := range 100 {
				go discard(r.room("den", "format="+test.formats[i%len(test.formats)]).Conn) // ends with the benchmark's connections
			}
			c := r.room("den", "format=json")
			frame := edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"how long is a piece of string, and who is to say?"}`))
			header, buf := make([]byte, 4), make([]byte, 64<<10)
			c.JSONOf("joined")
			_ = c.Conn.SetDeadline(time.Time{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Conn.Write(frame); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c.Conn, header); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c.Conn, buf[:edgetest.FrameLen(header)-len(header)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
