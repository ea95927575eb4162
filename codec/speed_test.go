package codec

import (
	"fmt"
	"strings"
	"testing"
)

// An input is a frame from a client and what decoding it may allocate.
type input struct {
	name   string
	binary bool
	data   []byte
	allocs float64
}

func inputs(t testing.TB) []input {
	t.Helper()
	escapes := `{"type":"message","content":"` + strings.Repeat(`Ze\u006f \ud83d\ude00`, 20) + `","idempotency_key":"\u0063"}`
	return []input{
		{"JSON/message", false, readGolden(t, "client_message.json"), 1},
		{"JSON/key", false, readGolden(t, "client_message_with_key.json"), 2},
		{"JSON/escapes", false, []byte(escapes), 2},
		{"JSON/typing", false, readGolden(t, "client_typing.json"), 0},
		{"JSON/room", false, readGolden(t, "client_message_in.json"), 2},
		{"JSON/join", false, readGolden(t, "client_join_since.json"), 2}, // the room, and the epoch
		{"JSON/edit", false, readGolden(t, "client_edit.json"), 3},       // the content, the key, and the epoch
		{"JSON/author", false, readGolden(t, "client_message_with_author.json"), 2},
		{"JSON/ping", false, readGolden(t, "client_ping.json"), 0},
		{"MsgPack/room", true, readGolden(t, "client_message_in.msgpack.hex"), 2},
		{"MsgPack/join", true, readGolden(t, "client_join_since.msgpack.hex"), 2},
		{"MsgPack/message", true, readGolden(t, "client_message.msgpack.hex"), 1},
		{"MsgPack/key", true, readGolden(t, "client_message_with_key.msgpack.hex"), 2},
		{"MsgPack/typing", true, readGolden(t, "client_typing.msgpack.hex"), 0},
	}
}

// said is a message of ordinary length.
var said = Message{
	ID: ID{"k3f9q2", 104200}, Username: "Alice", Time: noon,
	Content: strings.Repeat("The quick brown fox jumps over the lazy dog. ", 3),
}

// TestEncodersAllocateNothing covers every golden frame, body and record.
func TestEncodersAllocateNothing(t *testing.T) {
	dst := make([]byte, 0, 4096)
	for name, appendTo := range frames() {
		if name == "message_unusual" {
			continue // bad UTF-8 in MessagePack is repaired in a copy
		}
		for _, f := range []Format{JSON, MsgPack} {
			none(t, fmt.Sprintf("%s, format %d", name, f), func() { dst = appendTo(dst[:0], f) })
		}
	}
	none(t, "message_unusual, JSON", func() { dst = AppendMessage(dst[:0], JSON, &unusual) })
	members, rooms := []Member{{"Alice", false, 1, noon}}, []Room{{"general", 2, alice.ID}}
	none(t, "members", func() { dst = appendMembers(dst[:0], "general", members) })
	none(t, "rooms", func() { dst = AppendRooms(dst[:0], rooms) })
	none(t, "record", func() { dst = AppendRecord(dst[:0], &record) })
}

func TestDecodersAllocateLittle(t *testing.T) {
	for _, in := range inputs(t) {
		var err error
		got := testing.AllocsPerRun(100, func() { _, err = Limits{}.DecodeClient(in.binary, in.data) })
		if err != nil || got > in.allocs {
			t.Errorf("%s: %v allocations, at most %v; %v", in.name, got, in.allocs, err)
		}
	}
	none(t, "CleanRoom", func() { _, _ = CleanRoom("general") })
	none(t, "CleanUsername", func() { _, _ = CleanUsername(" Alice ") })
	none(t, "ParseID", func() { _, _ = ParseID("k3f9q2-1042") })
}

func none(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations", name, n)
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	for name, f := range map[string]Format{"JSON": JSON, "MsgPack": MsgPack} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			dst := AppendMessage(nil, f, &said)
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				dst = AppendMessage(dst[:0], f, &said)
			}
		})
	}
}

func BenchmarkDecodeClient(b *testing.B) {
	for _, in := range inputs(b) {
		b.Run(in.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in.data)))
			for b.Loop() {
				if _, err := (Limits{}).DecodeClient(in.binary, in.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendPage(b *testing.B) {
	page := Page{Room: "general", Head: said.ID, Oldest: alice.ID, Messages: make([]Message, 200)}
	for i := range page.Messages {
		page.Messages[i] = said
	}
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = appendPage(dst[:0], JSON, &page)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkAppendRecord(b *testing.B) {
	b.ReportAllocs()
	r := Record{Room: "general", Message: said, Key: "c-17"}
	dst := AppendRecord(nil, &r)
	b.SetBytes(int64(len(dst)))
	for b.Loop() {
		dst = AppendRecord(dst[:0], &r)
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	b.ReportAllocs()
	stored := AppendRecord(nil, &Record{Room: "general", Message: said, Key: "c-17"})
	b.SetBytes(int64(len(stored)))
	for b.Loop() {
		if _, err := DecodeRecord(stored); err != nil {
			b.Fatal(err)
		}
	}
}
