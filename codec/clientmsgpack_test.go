package codec

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"edgechat/refusal"

	"github.com/tinylib/msgp/msgp"
)

// mp writes MessagePack: strings are str, integers int, nil is nil, []byte as it is.
func mp(values ...any) []byte {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case []byte:
			b = append(b, v...)
		default:
			b, _ = msgp.AppendIntf(b, v)
		}
	}
	return b
}

func TestDecodeClientMsgPack(t *testing.T) {
	long := strings.Repeat("x", 4096)
	for _, c := range []struct {
		in   []byte
		want Client
	}{
		{mp([]byte{0x82}, "type", "message", "content", "hi"), Client{Type: TypeMessage, Content: "hi"}},
		{mp([]byte{0xde, 0, 3}, "content", "hi", "idempotency_key", "k", "type", "message"), Client{Type: TypeMessage, Content: "hi", Key: "k"}},
		{mp([]byte{0xdf, 0, 0, 0, 1}, "type", "typing"), Client{Type: TypeTyping}},
		{mp([]byte{0x81}, "type", "message"), Client{Type: TypeMessage}},
		{mp([]byte{0x83}, "type", "message", "content", nil, "idempotency_key", nil), Client{Type: TypeMessage}},
		{mp([]byte{0x83}, "type", "typing", "content", "dropped", "idempotency_key", "k"), Client{Type: TypeTyping}},
		{mp([]byte{0x82}, "type", "message", "content", long), Client{Type: TypeMessage, Content: long}},
		// str 8, 16 and 32 where fewer bytes would do.
		{mp([]byte{0x81, 0xd9, 4}, []byte("type"), []byte{0xda, 0, 6}, []byte("typing")), Client{Type: TypeTyping}},
		{mp([]byte{0x81, 0xdb, 0, 0, 0, 4}, []byte("type"), []byte{0xdb, 0, 0, 0, 6}, []byte("typing")), Client{Type: TypeTyping}},
		// A backslash is a backslash here.
		{mp([]byte{0x82}, "type", "message", "content", `\u0041`), Client{Type: TypeMessage, Content: `\u0041`}},
		// Every kind of value is skipped.
		{mp([]byte{0x86}, "type", "typing", "a", map[string]any{"b": []any{1, -1, 1.5, float32(2), true}}, "a", nil,
			"bin", []byte{0xc4, 1, 0, 0xa3}, []byte("ext"), []byte{0xc7, 1, 5, 9}, "fix", []byte{0xd6, 0xff, 0, 0, 0, 0}),
			Client{Type: TypeTyping}},
		{mp([]byte{0x84}, "type", "typing", "u", uint64(math.MaxUint64), "i", int64(math.MinInt64), "e",
			[]byte{0xd8, 1}, make([]byte, 16)), Client{Type: TypeTyping}},
	} {
		if got, err := (Limits{}).DecodeClient(true, c.in); err != nil || got != c.want {
			t.Errorf("%x:\n got %+v, %v\nwant %+v", c.in[:min(len(c.in), 100)], got, err, c.want)
		}
	}
}

func TestRefuseClientMsgPack(t *testing.T) {
	message := mp("type", "message")
	for _, c := range []struct {
		in   []byte
		want Error
	}{
		{nil, Error{Message: "unexpected end of MessagePack at byte 0"}},
		{mp([]byte{0x80}), Error{Message: `type is missing; it is "message", "edit", "delete", "typing", "ping", "join" or "leave"`}},
		{mp([]byte{0x81}, "type", nil), Error{Message: `type is missing; it is "message", "edit", "delete", "typing", "ping", "join" or "leave"`}},
		{mp([]byte{0x81}, "type", "foo"), Error{Message: `type must be "message", "edit", "delete", "typing", "ping", "join" or "leave", not "foo"`}},
		{mp([]byte{0x81}, "type", 7), Error{Message: "type must be a string, not an integer"}},
		{mp([]byte{0x82}, message, "content", 7), Error{Message: "content must be a string, not an integer"}},
		{mp([]byte{0x82}, message, "content", uint64(math.MaxUint64)), Error{Message: "content must be a string, not an integer"}},
		{mp([]byte{0x82}, message, "content", 1.5), Error{Message: "content must be a string, not a float"}},
		{mp([]byte{0x82}, message, "content", true), Error{Message: "content must be a string, not a boolean"}},
		{mp([]byte{0x82}, message, "content", []any{"hi"}), Error{Message: "content must be a string, not an array"}},
		{mp([]byte{0x82}, message, "content", map[string]any{}), Error{Message: "content must be a string, not a map"}},
		{mp([]byte{0x82}, message, "content", []byte{0xc4, 2, 'h', 'i'}), Error{Message: "content must be a string, not binary"}},
		{mp([]byte{0x82}, message, "content", []byte{0xd4, 1, 1}), Error{Message: "content must be a string, not an extension"}},
		{mp([]byte{0x82}, message, "content", "\xff"), Error{Message: "content is not valid UTF-8"}},
		{mp([]byte{0x82}, message, "content", "\xed\xa0\x80"), Error{Message: "content is not valid UTF-8"}},
		{mp([]byte{0x82}, message, message), Error{Message: "type is there more than once; send it once"}},
		{mp([]byte{0x83}, message, "content", nil, "content", "hi"), Error{Message: "content is there more than once; send it once"}},
		{mp([]byte{0x82}, message, "idempotency_key", "\xff"), Error{Message: "idempotency_key is not valid UTF-8"}},
		{mp([]byte{0x82}, message, "idempotency_key", "a\n"), Error{Message: "idempotency_key may not hold the control character U+000A"}},
		{mp([]byte{0x83}, message, "content", strings.Repeat("x", 4097), "idempotency_key", "c-18"),
			Error{Message: "content is longer than 4096 bytes", Key: "c-18"}},
		{mp([]byte{0x83}, "idempotency_key", "c-18", message, "content"),
			Error{Message: "unexpected end of MessagePack at byte 43", Key: "c-18"}},
		{mp([]byte{0x81}, message, 1), Error{Message: "1 bytes after the end of the MessagePack map at byte 14; a frame holds one map"}},
		{mp([]byte{0x81}, 1, "typing"), Error{Message: "the keys of the MessagePack map must be strings, not an integer as at byte 1"}},
		{mp([]byte{0x81, 0xc0, 0xc0}), Error{Message: "the keys of the MessagePack map must be strings, not nil as at byte 1"}},
		{mp([]byte{0x81, 0xc4, 4}, []byte("type"), "typing"), Error{Message: "the keys of the MessagePack map must be strings, not binary as at byte 1"}},
		{mp([]any{"type", "typing"}), Error{Message: "a message is a MessagePack map, not an array"}},
		{mp("typing"), Error{Message: "a message is a MessagePack map, not a string"}},
		{mp(nil), Error{Message: "a message is a MessagePack map, not nil"}},
		{[]byte(`{"type":"typing"}`), Error{Message: "a message is a MessagePack map, not an integer"}},
		{[]byte{0xc1}, Error{Message: "byte 0 is 0xc1, which is not MessagePack"}},
		{mp([]byte{0x81}, "type", []byte{0xc1}), Error{Message: "byte 6 is 0xc1, which is not MessagePack"}},
		{mp([]byte{0x81}, "type"), Error{Message: "unexpected end of MessagePack at byte 6"}},
		{mp([]byte{0x81}, "type", []byte{0xda, 0}), Error{Message: "unexpected end of MessagePack at byte 8"}},
		{mp([]byte{0x81}, "type", []byte{0xa2, 'a'}), Error{Message: "unexpected end of MessagePack at byte 8"}},
	} {
		c.want.Code = refusal.InvalidMessage
		refuses(t, Limits{}, true, c.in, c.want)
	}
}

// TestCutAnywhere cuts a valid frame at every byte: none of the pieces is one.
func TestCutAnywhere(t *testing.T) {
	for file, binary := range map[string]bool{
		"client_message_with_key.json": false, "client_message_with_key.msgpack.hex": true,
	} {
		whole := readGolden(t, file)
		for n := range len(whole) {
			_, err := Limits{}.DecodeClient(binary, whole[:n:n])
			if e, ok := errors.AsType[*Error](err); !ok || !strings.HasPrefix(e.Message, "unexpected end of ") {
				t.Errorf("%s cut at %d: %v", file, n, err)
			}
		}
	}
}

// TestBombs feeds short frames that declare or nest much, and asserts that what
// they say is refused costs next to nothing. On 32 bits their sizes are negative
// to a careless reader: run with GOARCH=386 as well.
func TestBombs(t *testing.T) {
	all := []byte{0xff, 0xff, 0xff, 0xff}
	half := []byte{0x80, 0, 0, 0}
	bombs := map[string][]byte{}
	for name, lead := range map[string]byte{
		"array32": 0xdd, "map32": 0xdf, "str32": 0xdb, "bin32": 0xc6, "ext32": 0xc9, "array16": 0xdc, "map16": 0xde,
	} {
		for size, n := range map[string][]byte{"2^32-1": all, "2^31": half} {
			head := append([]byte{lead}, n...)
			bombs[name+" "+size+" alone"] = head
			bombs[name+" "+size+" as a value"] = mp([]byte{0x81}, "type", head)
			bombs[name+" "+size+" as a key"] = mp([]byte{0x81}, head)
			bombs[name+" "+size+" in what is ignored"] = mp([]byte{0x82}, "x", []byte{0x92}, head, 0)
			bombs[name+" "+size+" in itself"] = mp([]byte{0x81}, "x", bytes.Repeat(head, 10_000))
		}
	}
	bombs["arrays, 60 000 deep"] = mp([]byte{0x81}, "x", bytes.Repeat([]byte{0x91}, 60_000))
	bombs["maps, 30 000 deep"] = mp([]byte{0x81}, "x", bytes.Repeat([]byte{0x81, 0xa0}, 30_000))
	for name, in := range bombs {
		costs(t, name, 4<<10, func() {
			if c, err := (Limits{}).DecodeClient(true, in); err == nil {
				t.Errorf("%s: taken as %+v", name, c)
			}
		})
	}

	// Depth alone is no reason to refuse: nothing recurses.
	deep := mp([]byte{0x82}, "x", bytes.Repeat([]byte{0x91}, 60_000), nil, "type", "typing")
	costs(t, "ignored arrays, 60 000 deep", 4<<10, func() {
		if c, err := (Limits{}).DecodeClient(true, deep); err != nil || c.Type != TypeTyping {
			t.Errorf("ignored arrays: %+v, %v", c, err)
		}
	})
	for name, in := range map[string]string{
		"JSON arrays":  strings.Repeat("[", 60_000),
		"JSON objects": strings.Repeat(`{"x":`, 12_000),
		"JSON content": `{"type":"message","content":"` + strings.Repeat("x", 60_000) + `"}`,
		"JSON escapes": `{"type":"message","content":"` + strings.Repeat(`\n`, 30_000) + `"}`,
		"JSON key":     `{"type":"message","idempotency_key":"` + strings.Repeat(`\n`, 30_000) + `"}`,
		"JSON name":    `{"` + strings.Repeat(`\n`, 30_000) + `":0,"type":0}`,
		"JSON names":   `{` + strings.Repeat(`"\u0074yp":0,`, 4_000) + `"type":0}`,
	} {
		data, most := []byte(in), uint64(4<<10)
		if name == "JSON names" {
			// Short ones with escapes are copied to be compared, 8 bytes or more for each of 13 and more.
			most = 2 * uint64(len(data))
		}
		costs(t, name, most, func() {
			if c, err := (Limits{}).DecodeClient(false, data); err == nil {
				t.Errorf("%s: taken as %+v", name, c)
			}
		})
	}
}

// costs fails if f allocates more than most bytes.
func costs(t *testing.T, name string, most uint64, f func()) {
	t.Helper()
	least := uint64(math.MaxUint64)
	for range 3 { // the runtime allocates now and then, too
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	if least > most {
		t.Errorf("%s: allocated %d bytes", name, least)
	}
}

// TestNothingAliases overwrites the input after it was decoded.
func TestNothingAliases(t *testing.T) {
	in := []byte(`{"type":"message","content":"Hello","idempotency_key":"c-17"}`)
	for _, data := range [][]byte{in, bytes.ReplaceAll(in, []byte("H"), []byte(`\u0048`)), transcode(t, string(in))} {
		got, err := Limits{}.DecodeClient(data[0] != '{', data)
		for i := range data {
			data[i] = '!'
		}
		if want := (Client{Type: TypeMessage, Content: "Hello", Key: "c-17"}); err != nil || got != want {
			t.Errorf("after the input was overwritten: %+v, %v", got, err)
		}
	}
	data := []byte(`{"content":"Hello","username":"\u0041lice"}`)
	got, err := Limits{}.DecodePost(false, data)
	clear(data)
	if want := (Post{"Hello", "Alice"}); err != nil || got != want {
		t.Errorf("after the input was overwritten: %+v, %v", got, err)
	}
	data = AppendRecord(nil, &record)
	stored, err := DecodeRecord(data)
	clear(data)
	if err != nil || stored != record {
		t.Errorf("after the input was overwritten: %+v, %v", stored, err)
	}
}

func TestLimits(t *testing.T) {
	for limit, fits := range map[int]int{0: 4096, -1: 4096, 1: 1, 10: 10, 100_000: 100_000} {
		l := Limits{MaxContent: limit}
		for over := range 2 {
			text := strings.Repeat("x", fits+over)
			in := `{"type":"message","content":"` + text + `"}`
			_, fromJSON := l.DecodeClient(false, []byte(in))
			_, fromMsgPack := l.DecodeClient(true, transcode(t, in))
			_, posted := l.DecodePost(false, []byte(in))
			for _, err := range []error{fromJSON, fromMsgPack, posted, l.CheckContent(text)} {
				if (err != nil) != (over == 1) {
					t.Errorf("MaxContent %d, content of %d bytes: %v", limit, fits+over, err)
				}
			}
		}
		worst := `{ "type": "message", "content": "` + strings.Repeat(`\u0000`, fits) +
			`", "idempotency_key": "` + strings.Repeat(`\ud83d\ude00`, 64) + `" }`
		if got := l.MaxFrame(); got != 6*fits+1024 {
			t.Errorf("MaxContent %d: MaxFrame %d", limit, got)
		}
		if _, err := l.DecodeClient(false, []byte(worst)); err != nil || len(worst) > l.MaxFrame() {
			t.Errorf("MaxContent %d: a frame of %d bytes, MaxFrame %d: %v", limit, len(worst), l.MaxFrame(), err)
		}
	}
	if err := (Limits{}).CheckContent("a\xff"); err == nil || err.Error() != "invalid_message: content is not valid UTF-8" {
		t.Errorf("bytes that are no UTF-8: %v", err)
	}
	if err := (Limits{}).CheckContent(""); err != nil {
		t.Errorf("empty content: %v", err)
	}
}

func TestDecodePost(t *testing.T) {
	for in, want := range map[string]Post{
		`{"content":"hi"}`:                                           {"hi", ""},
		`{"username":" nas ","content":""}`:                          {"", " nas "},
		`{"content":"hi","username":null,"type":7,"id":"x","a":[1]}`: {"hi", ""},
	} {
		if got, err := (Limits{}).DecodePost(false, []byte(in)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		`{}`:                                "invalid_message: content is missing; send {\"content\":\"...\"}",
		`{"content":null}`:                  "invalid_message: content is missing; send {\"content\":\"...\"}",
		`{"content":1}`:                     "invalid_message: content must be a string, not a number",
		`{"content":null,"content":"a"}`:    "invalid_message: content is there more than once; send it once",
		`{"content":"a","username":[]}`:     "invalid_message: username must be a string, not an array",
		`{"content":"a","username":"\ud8"}`: `invalid_message: unexpected '"' (U+0022) in JSON at byte 31, where a hexadecimal digit should be`,
		`content=hi`:                        `invalid_message: unexpected 'c' (U+0063) in JSON at byte 0, where an object should be`,
	} {
		got, err := Limits{}.DecodePost(false, []byte(in))
		if got != (Post{}) || err == nil || err.Error() != want {
			t.Errorf("%s: got %+v, %v; want %s", in, got, err, want)
		}
	}
}
