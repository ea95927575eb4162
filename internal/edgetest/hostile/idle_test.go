package hostile

import (
	"testing"
	"time"
)

// connect joins n silent clients, who read nothing either.
func connect(t *testing.T, s *Server, n int) (conns []*Conn) {
	t.Helper()
	for range n {
		c, err := Join(s.Addr, "den", "username=x&announce=0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns = append(conns, c)
	}
	return conns
}

// A message that does not end is not waited for without an end.
func TestUnfinished(t *testing.T) {
	const each = 200
	kinds := []struct{ name, begin, more string }{
		{"half a frame", string(Frame(nil, 0x81, string(make([]byte, 4000)))[:2000]), "x"},
		{"a head", "\x81", ""},
		{"fragments", string(Frame(nil, 0x01, `{"type":`)), string(Frame(nil, 0x00, " "))},
	}
	s := serve(t, "EDGECHAT_MESSAGE_TIMEOUT=2s")
	before := s.Descriptors()
	conns := connect(t, s, each*len(kinds))
	base := s.RSS()
	for i, conn := range conns {
		if _, err := conn.Write([]byte(kinds[i%len(kinds)].begin)); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	time.Sleep(500 * time.Millisecond)
	t.Logf("%d bytes a connection", (s.RSS()-base)/int64(len(conns)))
	for s.Descriptors() > before && time.Since(began) < 30*time.Second {
		for i, conn := range conns {
			_, _ = conn.Write([]byte(kinds[i%len(kinds)].more)) // which fails once they are closed
		}
		time.Sleep(200 * time.Millisecond)
	}
	if n := s.Descriptors(); n > before {
		t.Fatalf("%d descriptors after %v, want %d", n, time.Since(began).Round(time.Second), before)
	}
	t.Logf("gone after %v", time.Since(began).Round(100*time.Millisecond))
	told := make([]int, len(kinds)) // 1008
	for i, conn := range conns {
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		for {
			opcode, payload, err := conn.Next()
			if err != nil {
				break
			}
			if opcode == 8 && len(payload) > 2 && payload[0] == 1008>>8 && payload[1] == 1008&0xff {
				told[i%len(kinds)]++
				break
			}
		}
	}
	for i, kind := range kinds {
		t.Logf("%s: %d of %d were told 1008", kind.name, told[i], each)
		if told[i] < each*9/10 { // a reset may overtake what was said to one who goes on
			t.Errorf("%s: %d of %d were told 1008", kind.name, told[i], each)
		}
	}
	s.Stop()
}
