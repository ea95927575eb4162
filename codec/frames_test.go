package codec

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"
)

// marshal is encoding/json without its escaping for HTML.
func marshal(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// TestStringsAsEncodingJSON compares every code point, every byte, and every
// pair of bytes that may begin bad UTF-8.
func TestStringsAsEncodingJSON(t *testing.T) {
	check := func(s string) {
		t.Helper()
		if got, want := appendJSONString(nil, s), marshal(t, s); !bytes.Equal(got, want) {
			t.Errorf("%.50q:\n got %.300s\nwant %.300s", s, got, want)
		}
	}
	for block := rune(0); block <= utf8.MaxRune; block += 256 {
		var chars []rune
		for r := block; r < block+256; r++ {
			chars = append(chars, r) // surrogates become U+FFFD
		}
		check(string(chars))
	}
	check("")
	for a := range 256 {
		check(string([]byte{byte(a)}))
		check("a" + string([]byte{byte(a)}) + "b")
		for b := 0x7f; b < 256; b++ {
			check(string([]byte{byte(a), byte(b)}) + "x")
		}
	}
	check("\xe2\x80") // U+2028, cut
	check("\xed\xa0\x80\xed\xb0\x80")
	check("\xf4\x90\x80\x80")
}

func TestTimesAsTimeFormat(t *testing.T) {
	const layout = `"2006-01-02T15:04:05.000Z"`
	check := func(ms int64) {
		t.Helper()
		if got, want := string(appendJSONTime(nil, ms)), time.UnixMilli(ms).UTC().Format(layout); got != want {
			t.Errorf("%d: got %s, want %s", ms, got, want)
		}
	}
	for _, ms := range []int64{0, 1, 999, 1000, -1, -1000, noon, minTime, minTime + 1, maxTime, maxTime - 1} {
		check(ms)
	}
	const day = 24 * 60 * 60 * 1000
	for ms := int64(-800 * 365 * day); ms < 800*365*day; ms += 7*day + 12345678 {
		check(ms)
	}
	for _, year := range []int{1600, 1900, 2000, 2024, 2100} {
		check(time.Date(year, 2, 28, 23, 59, 59, 999e6, time.UTC).UnixMilli())
		check(time.Date(year, 2, 29, 0, 0, 0, 0, time.UTC).UnixMilli())
	}
	for ms, want := range map[int64]string{
		minTime - 1: `"0000-01-01T00:00:00.000Z"`, math.MinInt64: `"0000-01-01T00:00:00.000Z"`,
		maxTime + 1: `"9999-12-31T23:59:59.999Z"`, math.MaxInt64: `"9999-12-31T23:59:59.999Z"`,
	} {
		if got := string(appendJSONTime(nil, ms)); got != want {
			t.Errorf("%d: got %s, want %s", ms, got, want)
		}
	}
}

// TestPageHoldsMessages checks that history has the bytes that were sent live.
func TestPageHoldsMessages(t *testing.T) {
	p := Page{Room: "r", Head: unusual.ID, Recovered: true, Messages: []Message{alice, unusual, {}}}
	for _, f := range []Format{JSON, MsgPack} {
		page := appendPage(nil, f, &p)
		at := 0
		for i := range p.Messages {
			frame := AppendMessage(nil, f, &p.Messages[i])
			next := bytes.Index(page[at:], frame)
			if next < 0 {
				t.Fatalf("format %d: message %d is not in the page as it was sent", f, i)
			}
			at += next + len(frame)
		}
	}
	// 16 messages and more, and 65536 and more, have other headers in MessagePack.
	for _, n := range []int{0, 1, 15, 16, 17, 65535, 65536} {
		p.Messages = make([]Message, n)
		page := appendPage(nil, MsgPack, &p)
		r := msgpackReader{data: page}
		if problem := r.skip(1); problem != nil || r.pos != len(page) {
			t.Errorf("page of %d messages: %v, %d bytes left", n, problem, len(page)-r.pos)
		}
	}
}

// TestOldest: an offset of 0 says that the buffer is empty, whatever the epoch.
func TestOldest(t *testing.T) {
	for _, f := range []Format{JSON, MsgPack} {
		for _, oldest := range []ID{{}, {Epoch: "k3f9q2"}} {
			s, p := resumed, history
			s.Oldest, p.Oldest = oldest, oldest
			if b := AppendSubscribed(nil, f, &s); bytes.Contains(b, []byte("oldest")) {
				t.Errorf("format %d, oldest %q: %q", f, oldest, b)
			}
			if b := appendPage(nil, f, &p); bytes.Contains(b, []byte("oldest")) {
				t.Errorf("format %d, oldest %q: %q", f, oldest, b)
			}
		}
	}
}

// TestNumbers: each is decimal, also where the golden files have a single digit.
func TestNumbers(t *testing.T) {
	const n = 1234567890
	s := Subscribed{Head: ID{"e", n}, Oldest: ID{"e", n}, Members: n, MaxContent: n, PingInterval: n}
	b := AppendSubscribed(nil, JSON, &s)
	for _, want := range []string{
		`"id":"e-1234567890"`, `"offset":1234567890,`, `"oldest":"e-1234567890"`,
		`"members":1234567890,`, `"max_content_bytes":1234567890,`, `"ping_interval_ms":1234567890}`,
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
}
