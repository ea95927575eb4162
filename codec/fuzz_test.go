package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
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
	for name := range clients {
		f.Add(readGolden(f, name+".msgpack.hex"))
	}
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
		m := Message{ID: ID{"k3f9q2", offset % limitID}, Username: username, Content: content, Time: ms}
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
	f.Add("general", "k3f9q2", uint64(1043), int64(noon), "Alice", "ho", "c-18", uint(15), []byte{2, 0x9b})
	f.Fuzz(func(t *testing.T, room, epoch string, offset uint64, ms int64, username, content, key string, flip uint, raw []byte) {
		r := Record{Room: room, Message: Message{ID: ID{epoch, offset}, Username: username, Content: content, Time: ms}, Key: key}
		if r.Message.Kind = Kind(flip % 3); r.Message.Kind != Said {
			r.Message.Target = ID{username, offset / 2}
		}
		r.Message.Author, r.Superseded = uint64(ms), flip%5 == 0
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
		case e.Code != refusal.InvalidMessage && e.Code != refusal.InvalidRoom || e.Message == "" || !utf8.ValidString(e.Message) || len(e.Message) > 400:
			t.Fatalf("%q: refused with %q", data, err)
		case e.Key != want.Key && want.Key != "", e.Room != want.Room && want.Room != "":
			t.Fatalf("%q: refused with key %q and room %q, not %q and %q", data, e.Key, e.Room, want.Key, want.Room)
		case e.Key != "" && CheckKey(e.Key) != nil, !utf8.ValidString(e.Room), len(e.Room) > 4*64:
			t.Fatalf("%q: refused with key %q and room %q, which are not valid", data, e.Key, e.Room)
		}
		return
	}
	if err != nil || got != want {
		t.Fatalf("%q:\n got %+v, %v\nwant %+v", data, got, err, want)
	}
	fields := map[string]any{"type": string(got.Type)}
	for name, text := range map[string]string{"room": got.Room, "idempotency_key": got.Key, "content": got.Content, "author_key": got.AuthorKey, "id": got.Target.String()} {
		if text != "" {
			fields[name] = text
		}
	}
	if got.Type == TypeEdit {
		fields["content"] = got.Content // also if it is empty
	}
	switch {
	case got.Join.Since != ID{}:
		fields["since"] = got.Join.Since.String()
	case got.Join.Replay:
		fields["since"] = All
	}
	if got.Join.Limit != 0 {
		fields["limit"] = got.Join.Limit
	}
	if got.Join.Quiet {
		fields["announce"] = false
	}
	inMsgPack, _ := msgp.AppendMapStrIntf(nil, fields)
	for binary, frame := range map[bool][]byte{false: marshal(t, fields), true: inMsgPack} {
		if again, err := fuzzLimits.DecodeClient(binary, frame); err != nil || again != got {
			t.Fatalf("%q: was %+v, came back as %+v, %v", frame, got, again, err)
		}
	}
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
