package load

import (
	"io"
	"net/http"
	"testing"
	"time"

	"edgechat/codec"
)

// Each fault is seen, counted for what it is and for nothing else. The faults
// hit the last of five members, and the messages 3 and 7 of some 20.
func TestFaults(t *testing.T) {
	hit := func(member int, n uint64) bool { return member == 4 && (n == 3 || n == 7) }
	for _, c := range []struct {
		name    string
		deliver func(s *faulty, member int, n uint64, m codec.Message) []byte
		want    [4]int64 // lost, duplicated, reordered, damaged
	}{
		{"none", nil, [4]int64{}},
		{"drop", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			if hit(member, n) {
				return nil
			}
			return messageFrame(m)
		}, [4]int64{2, 0, 0, 0}},
		{"drop the rest", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			if member == 4 && n >= 10 {
				return nil
			}
			return messageFrame(m)
		}, [4]int64{10, 0, 0, 0}},
		{"double", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			if hit(member, n) {
				return append(messageFrame(m), messageFrame(m)...)
			}
			return messageFrame(m)
		}, [4]int64{0, 2, 0, 0}},
		{"double under another number", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			if hit(member, n) {
				again := m
				again.ID.Offset++
				return append(messageFrame(m), messageFrame(again)...)
			}
			return messageFrame(m)
		}, [4]int64{0, 2, 2, 0}}, // the next has the same offset
		{"reorder", func(s *faulty, member int, n uint64, m codec.Message) []byte {
			if hit(member, n) {
				s.held = messageFrame(m)
				return nil
			}
			if member == 4 {
				out := append(messageFrame(m), s.held...)
				s.held = nil
				return out
			}
			return messageFrame(m)
		}, [4]int64{0, 0, 2, 0}},
		{"damage the content", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			if hit(member, n) {
				m.Content = m.Content[:60] + "!" + m.Content[61:]
			}
			return messageFrame(m)
		}, [4]int64{2, 0, 0, 2}},
		{"damage a number", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			if hit(member, n) {
				m.Content = m.Content[:roomEnd+7] + "9" + m.Content[roomEnd+8:]
			}
			return messageFrame(m)
		}, [4]int64{2, 0, 0, 2}},
		{"cut the content short", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			if hit(member, n) {
				m.Content = m.Content[:len(m.Content)-1]
			}
			return messageFrame(m)
		}, [4]int64{2, 0, 0, 2}},
		{"damage the frame", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			out := messageFrame(m)
			if hit(member, n) {
				out[len(out)-1] = ')'
			}
			return out
		}, [4]int64{2, 0, 0, 2}},
		{"an offset that goes back", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			if hit(member, n) {
				m.ID.Offset--
			}
			return messageFrame(m)
		}, [4]int64{0, 0, 2, 0}},
		{"what nobody said", func(_ *faulty, member int, n uint64, m codec.Message) []byte {
			out := messageFrame(m)
			if hit(member, n) {
				m.Content = "hello"
				out = append(out, messageFrame(m)...)
			}
			return out
		}, [4]int64{0, 0, 0, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &faulty{deliver: c.deliver}
			rep := do(t, Config{URL: s.start(t), Clients: 5, Rooms: 1, Rate: 100, Duration: 200 * time.Millisecond, Patience: 3 * time.Second})
			if got := [4]int64{rep.Lost, rep.Duplicated, rep.Reordered, rep.Damaged}; got != c.want {
				t.Errorf("lost, duplicated, reordered, damaged: %d, want %d", got, c.want)
			}
			if rep.OK() != (c.want == [4]int64{}) {
				t.Errorf("OK is %v", rep.OK())
			}
			if rep.Published != 20 || rep.Expected != 100 || rep.Delivered != 100-c.want[0] {
				t.Errorf("published %d, expected %d, delivered %d", rep.Published, rep.Expected, rep.Delivered)
			}
			if int64(s.messages) != rep.Published {
				t.Errorf("the server got %d messages, the load says %d", s.messages, rep.Published)
			}
		})
	}
}

// A message in the room of others is damage even if it is whole.
func TestWrongRoom(t *testing.T) {
	t.Parallel()
	s := new(faulty)
	other := []byte(nil)
	s.deliver = func(_ *faulty, member int, n uint64, m codec.Message) []byte {
		out := messageFrame(m)
		if m.Content[:roomEnd] == "0000" {
			other = out
		} else if other != nil {
			out, other = append(out, other...), nil
		}
		return out
	}
	rep := do(t, Config{URL: s.start(t), Clients: 2, Rooms: 2, Rate: 50, Duration: 200 * time.Millisecond, Patience: 3 * time.Second})
	if rep.Damaged == 0 || rep.Lost != 0 || rep.Duplicated != 0 {
		t.Errorf("damaged %d, lost %d, duplicated %d", rep.Damaged, rep.Lost, rep.Duplicated)
	}
}

// Two publishers' messages that change places are seen by their offsets alone.
func TestReorderedAcrossPublishers(t *testing.T) {
	t.Parallel()
	s := &faulty{deliver: func(s *faulty, member int, n uint64, m codec.Message) []byte {
		switch {
		case member == 1 && n == 4:
			s.held = messageFrame(m)
			return nil
		case member == 1 && n == 5:
			return append(messageFrame(m), s.held...)
		}
		return messageFrame(m)
	}}
	rep := do(t, Config{URL: s.start(t), Clients: 2, Rooms: 1, Publishers: 2, Rate: 100, Duration: 200 * time.Millisecond, Patience: 3 * time.Second})
	if rep.Reordered != 1 || rep.Lost != 0 || rep.Duplicated != 0 {
		t.Errorf("reordered %d, lost %d, duplicated %d", rep.Reordered, rep.Lost, rep.Duplicated)
	}
}

// Who is refused is no member; who is cut off loses what comes later.
func TestRefusedAndCutOff(t *testing.T) {
	t.Parallel()
	s := &faulty{
		refuse: func(n int, w http.ResponseWriter) bool {
			if n < 8 {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":{"code":"unavailable","message":"full"}}`)
			return true
		},
		cut: func(member int, n uint64) bool { return member == 3 && n == 10 },
	}
	rep := do(t, Config{URL: s.start(t), Clients: 10, Rooms: 1, Rate: 100, Duration: 200 * time.Millisecond, Patience: 3 * time.Second})
	if rep.Connected != 8 || len(rep.Refused) != 1 || rep.Refused[0] != (Reason{2, "refused with 503 unavailable: full"}) {
		t.Errorf("connected %d, refused %v", rep.Connected, rep.Refused)
	}
	if len(rep.Disconnected) != 1 || rep.Disconnected[0] != (Reason{1, `closed with 1013: "too slow"`}) {
		t.Errorf("cut off: %v", rep.Disconnected)
	}
	if rep.Expected != 160 || rep.Lost != 10 || rep.OK() {
		t.Errorf("expected %d, lost %d, OK %v", rep.Expected, rep.Lost, rep.OK())
	}
}

// A closed loop that waits for a lost message ends, and says so.
func TestStuck(t *testing.T) {
	t.Parallel()
	s := &faulty{deliver: func(_ *faulty, member int, n uint64, m codec.Message) []byte {
		if member == 2 && n == 50 {
			return nil
		}
		return messageFrame(m)
	}}
	begin := time.Now()
	rep := do(t, Config{URL: s.start(t), Clients: 3, Rooms: 1, Saturate: true, Window: 4, Duration: time.Minute, Patience: 3 * time.Second})
	if !rep.Stuck || rep.Lost != 1 || rep.OK() {
		t.Errorf("stuck %v, lost %d, OK %v", rep.Stuck, rep.Lost, rep.OK())
	}
	if rep.Published != 54 { // message 50 is in flight, with three after it
		t.Errorf("published %d with a window of 4", rep.Published)
	}
	if d := time.Since(begin); d > 50*time.Second {
		t.Errorf("it took %v", d)
	}
}

// An error frame of the protocol is counted by its text.
func TestErrorFrames(t *testing.T) {
	t.Parallel()
	s := &faulty{deliver: func(_ *faulty, member int, n uint64, m codec.Message) []byte {
		if member == 0 && n == 2 {
			return serverFrame(opText, codec.AppendError(nil, codec.JSON, &codec.Error{Code: "rate_limited", Message: "slower"}))
		}
		return messageFrame(m)
	}}
	rep := do(t, Config{URL: s.start(t), Clients: 2, Rooms: 1, Rate: 50, Duration: 200 * time.Millisecond, Patience: 3 * time.Second})
	if len(rep.Errors) != 1 || rep.Errors[0] != (Reason{1, "rate_limited: slower"}) || rep.Lost != 1 || rep.OK() {
		t.Errorf("errors %v, lost %d", rep.Errors, rep.Lost)
	}
}
