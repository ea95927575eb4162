package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"edgechat/refusal"

	"github.com/tinylib/msgp/msgp"
)

// fuzzLimits is small, so that the limit is met.
var fuzzLimits = Limits{MaxContent: 20}

// FuzzDecodeClientJSON compares the decoder with one on top of encoding/json.
func FuzzDecodeClientJSON(f *testing.F) {
	for _, c := range clients {
		f.Add([]byte(c.json))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		got, err := fuzzLimits.DecodeClient(false, data)
		want, ok := referenceJSON(t, data)
		judge(t, data, got, err, want, ok)
		if !bytes.Equal(before, data) {
			t.Fatalf("%q was changed to %q", before, data)
		}
	})
}

// FuzzDecodeClientMsgPack compares the decoder with one on top of msgp, which
// is right on 64 bits.
func FuzzDecodeClientMsgPack(f *testing.F) {
	if bits.UintSize < 64 {
		f.Skip("msgp panics on sizes above 2^31 here")
	}
	f.Add([]byte{0x81, 0xa4, 't', 'y', 'p', 'e', 0xa6, 't', 'y', 'p', 'i', 'n', 'g'})
	f.Add([]byte{0x81, 0xa4, 't', 'y', 'p', 'e', 0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		got, err := fuzzLimits.DecodeClient(true, data)
		want, ok := referenceMsgPack(data)
		judge(t, data, got, err, want, ok)
		if !bytes.Equal(before, data) {
			t.Fatalf("%q was changed to %q", before, data)
		}
	})
}

// FuzzAppendMessage compares what is sent with encoding/json, and with what
// msgp reads.
func FuzzAppendMessage(f *testing.F) {
	f.Add(alice.Username, alice.Content, alice.ID.Offset, alice.Time)
	f.Add(unusual.Username, unusual.Content, unusual.ID.Offset, unusual.Time)
	f.Fuzz(func(t *testing.T, username, content string, offset uint64, ms int64) {
		ms = min(max(ms, minTime), maxTime)
		m := Message{ID{"k3f9q2", offset % limitID}, username, content, ms}
		type frame struct {
			Type      string `json:"type"`
			Username  string `json:"username"`
			Content   string `json:"content"`
			Timestamp string `json:"timestamp"`
			ID        string `json:"id"`
			Offset    uint64 `json:"offset"`
		}
		stamp := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
		want := marshal(t, frame{"message", username, content, stamp, m.ID.String(), m.ID.Offset})
		if got := AppendMessage(nil, JSON, &m); !bytes.Equal(got, want) {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		back, rest, err := msgp.ReadMapStrIntfBytes(AppendMessage(nil, MsgPack, &m), nil)
		sent := map[string]any{
			"type": "message", "username": string([]rune(username)), "content": string([]rune(content)),
			"timestamp": ms, "id": m.ID.String(), "offset": m.ID.Offset,
		}
		if err != nil || len(rest) > 0 || fmt.Sprint(back) != fmt.Sprint(sent) {
			t.Errorf("MessagePack came back as %v, %v, %d bytes left; want %v", back, err, len(rest), sent)
		}
	})
}

// FuzzRecord stores, reads and damages. raw is taken for the body of a record,
// with the right checksum, as damage alone would never get past that.
func FuzzRecord(f *testing.F) {
	f.Add("general", "k3f9q2", uint64(1042), int64(noon), "Alice", "hi", "c-17", uint(0), []byte{1, 0x97})
	f.Fuzz(func(t *testing.T, room, epoch string, offset uint64, ms int64, username, content, key string, flip uint, raw []byte) {
		r := Record{room, Message{ID{epoch, offset}, username, content, ms}, key}
		b := AppendRecord(nil, &r)
		if got, err := DecodeRecord(b); err != nil || got != r {
			t.Fatalf("stored %+v, read %+v, %v", r, got, err)
		}
		flip %= uint(len(b)) * 8
		b[flip/8] ^= 1 << (flip % 8)
		if got, err := DecodeRecord(b); !errors.Is(err, ErrChecksum) || got != (Record{}) {
			t.Fatalf("bit %d flipped: read %+v, %v", flip, got, err)
		}
		got, err := DecodeRecord(sealed(raw...))
		if err != nil {
			if got != (Record{}) || errors.Is(err, ErrChecksum) {
				t.Fatalf("%x: read %+v, %v", raw, got, err)
			}
			return
		}
		if again, err := DecodeRecord(AppendRecord(nil, &got)); err != nil || again != got {
			t.Fatalf("%x: read %+v, and then %+v, %v", raw, got, again, err)
		}
	})
}

// judge compares what a decoder made of data with what it should have. A frame
// that is taken must come back whole through the other format too.
func judge(t *testing.T, data []byte, got Client, err error, want Client, ok bool) {
	t.Helper()
	if !ok {
		e, isError := errors.AsType[*Error](err)
		switch {
		case !isError || got != (Client{}):
			t.Fatalf("%q: got %+v, %v; should be refused", data, got, err)
		case e.Code != refusal.InvalidMessage || e.Message == "" || !utf8.ValidString(e.Message) || len(e.Message) > 400:
			t.Fatalf("%q: refused with %q", data, err)
		case e.Key != want.Key && want.Key != "":
			t.Fatalf("%q: refused with key %q, not %q", data, e.Key, want.Key)
		case e.Key != "" && CheckKey(e.Key) != nil:
			t.Fatalf("%q: refused with key %q, which is not valid", data, e.Key)
		}
		return
	}
	if err != nil || got != want {
		t.Fatalf("%q:\n got %+v, %v\nwant %+v", data, got, err, want)
	}
	fields := map[string]any{"type": string(got.Type), "content": got.Content}
	if got.Key != "" {
		fields["idempotency_key"] = got.Key
	}
	if got.Type == TypeTyping {
		delete(fields, "content")
	}
	inMsgPack, _ := msgp.AppendMapStrIntf(nil, fields)
	for binary, frame := range map[bool][]byte{false: marshal(t, fields), true: inMsgPack} {
		if again, err := fuzzLimits.DecodeClient(binary, frame); err != nil || again != got {
			t.Fatalf("%q: was %+v, came back as %+v, %v", frame, got, again, err)
		}
	}
}

var (
	escapeSequence = regexp.MustCompile(`\\(?:u[0-9a-fA-F]{4}|[^u])`)
	quotedText     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// referenceJSON decodes a frame, or says that it is to be refused, then with
// its key if that can be known.
func referenceJSON(t *testing.T, data []byte) (want Client, ok bool) {
	if !utf8.Valid(data) || !json.Valid(data) || bytes.TrimLeft(data, " \t\r\n")[0] != '{' {
		return Client{}, false
	}
	known := map[string]*string{"type": nil, "content": nil, "idempotency_key": nil}
	seen := map[string]bool{}
	good := map[string]bool{"type": true, "content": true, "idempotency_key": true}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.Token() // {
	deep := false
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		name := token.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		deep = deep || depth(raw) > maxDepth
		if _, isKnown := known[name]; !isKnown {
			continue
		}
		if seen[name] {
			good[name] = false
			continue
		}
		seen[name] = true
		if raw[0] == 'n' {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil || hasLoneSurrogate(raw, text) {
			good[name] = false
			continue
		}
		known[name] = &text
	}
	if deep {
		return Client{}, false
	}
	return assemble(known, good)
}

// depth counts how deep raw nests.
func depth(raw []byte) (most int) {
	open := 0
	for _, c := range quotedText.ReplaceAll(raw, nil) {
		switch c {
		case '{', '[':
			open++
			most = max(most, open)
		case '}', ']':
			open--
		}
	}
	return most
}

// hasLoneSurrogate reports whether text, decoded from raw by encoding/json, has a
// U+FFFD that nobody wrote.
func hasLoneSurrogate(raw []byte, text string) bool {
	written := bytes.Count(raw, []byte("\ufffd"))
	for _, sequence := range escapeSequence.FindAll(raw, -1) {
		if bytes.EqualFold(sequence, []byte(`\ufffd`)) {
			written++
		}
	}
	return bytes.Count([]byte(text), []byte("\ufffd")) > written
}

// assemble judges fields by the rules of the protocol, written out once more.
func assemble(known map[string]*string, good map[string]bool) (want Client, ok bool) {
	typ, content, key := known["type"], known["content"], known["idempotency_key"]
	keyOK := good["idempotency_key"]
	if key != nil && keyOK {
		n := 0
		for _, r := range *key {
			n++
			keyOK = keyOK && !unicode.Is(unicode.Cc, r)
		}
		if keyOK = keyOK && 1 <= n && n <= 64; keyOK {
			want.Key = *key
		}
	}
	if !keyOK || !good["type"] || !good["content"] || typ == nil || *typ != "message" && *typ != "typing" {
		return want, false
	}
	if content != nil && len(*content) > fuzzLimits.MaxContent {
		return want, false
	}
	if *typ == "typing" {
		return Client{Type: TypeTyping}, true
	}
	want.Type = TypeMessage
	if content != nil {
		want.Content = *content
	}
	return want, true
}

// referenceMsgPack is referenceJSON for the other format.
func referenceMsgPack(data []byte) (want Client, ok bool) {
	n, rest, err := msgp.ReadMapHeaderBytes(data)
	if err != nil {
		return Client{}, false
	}
	known := map[string]*string{"type": nil, "content": nil, "idempotency_key": nil}
	seen := map[string]bool{}
	good := map[string]bool{"type": true, "content": true, "idempotency_key": true}
	for ; n > 0; n-- {
		var name string
		if name, rest, err = msgp.ReadStringBytes(rest); err != nil {
			return Client{}, false
		}
		value := rest
		if rest, err = msgp.Skip(rest); err != nil {
			return Client{}, false
		}
		if _, isKnown := known[name]; !isKnown {
			continue
		}
		if seen[name] {
			good[name] = false
			continue
		}
		seen[name] = true
		if msgp.IsNil(value) {
			continue
		}
		text, _, err := msgp.ReadStringBytes(value)
		if err != nil || !utf8.ValidString(text) {
			good[name] = false
			continue
		}
		known[name] = &text
	}
	if len(rest) > 0 {
		return Client{}, false
	}
	return assemble(known, good)
}

// TestCorpus checks that each fuzz target of the package has seeds in testdata.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	targets := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`).FindAllSubmatch(source, -1) {
			targets++
			seeds, err := os.ReadDir(filepath.Join("testdata", "fuzz", string(match[1])))
			if err != nil || len(seeds) == 0 {
				t.Errorf("%s has no seeds: %v", match[1], err)
			}
		}
	}
	if targets != 4 {
		t.Errorf("found %d fuzz targets", targets)
	}
}
