package load

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"edgechat/codec"
)

func TestContent(t *testing.T) {
	m := mark{room: 0xabc, pub: 17, seq: 0xfffffffe, due: 1<<47 + 5}
	for _, size := range []int{MinSize, MinSize + 1, 100, 4096} {
		content := appendContent(nil, 7, m, size)
		if len(content) != size {
			t.Fatalf("%d bytes, want %d", len(content), size)
		}
		if got, ok := readContent(7, content, size); !ok || got != m {
			t.Fatalf("%d bytes: %+v %v", size, got, ok)
		}
		if _, ok := readContent(8, content, size); ok {
			t.Errorf("%d bytes: taken for another run's", size)
		}
		if _, ok := readContent(7, content[:size-1], size); ok {
			t.Errorf("%d bytes: one less is taken", size)
		}
		for i := range content {
			content[i] ^= 1
			if _, ok := readContent(7, content, size); ok {
				t.Fatalf("%d bytes: damage of byte %d is not seen", size, i)
			}
			content[i] ^= 1
		}
		// It must stand in JSON as it is.
		if bytes.ContainsAny(content, "\"\\<>&") || !slices.Equal(bytes.ToValidUTF8(content, nil), content) {
			t.Errorf("%d bytes: JSON would escape %q", size, content)
		}
	}
}

// The short way through a frame is taken for what the server writes, and agrees with the long one.
func TestUsualFrames(t *testing.T) {
	content := appendContent(nil, 1, mark{seq: 3}, 100)
	m := codec.Message{ID: codec.ID{Epoch: "k3f9q2", Offset: 1042}, Username: "Álice 1", Content: string(content), Time: 1795348800123}
	payload := codec.AppendMessage(nil, codec.JSON, &m)
	f, ok := readUsual(payload, 100)
	if !ok || f.typ != "message" || !bytes.Equal(f.content, content) || f.offset != 1042 {
		t.Fatalf("a message as the server writes it: %+v %v", f, ok)
	}
	for _, typ := range []codec.Type{codec.TypeJoined, codec.TypeLeft} {
		p := codec.AppendEvent(nil, codec.JSON, "", &codec.Event{Type: typ, Username: "x", Time: 1})
		if f, ok := readUsual(p, 100); !ok || f.typ != string(typ) {
			t.Errorf("%s: %+v %v", p, f, ok)
		}
	}
	// Every cut and every other byte: never a message with another offset or room for doubt.
	stamp := bytes.Index(payload, []byte(`"timestamp":"`)) + len(`"timestamp":"`)
	name := bytes.Index(payload, []byte(`"username":"`)) + len(`"username":"`)
	for i := range payload {
		if _, ok := readUsual(payload[:i], 100); ok {
			t.Errorf("%q is taken", payload[:i])
		}
		at := bytes.Index(payload, content)
		if i >= at && i < at+100 || i >= stamp && i < stamp+24 || i >= name && i < name+len(m.Username) {
			continue // the checksum's business, and what is not looked at
		}
		bad := bytes.Clone(payload)
		bad[i] ^= 1
		short, ok := readUsual(bad, 100)
		if !ok {
			continue
		}
		// The epoch is free to be anything.
		if long, _ := readJSON(bad); long.typ != short.typ || long.offset != short.offset || !bytes.Equal(long.content, short.content) {
			t.Errorf("%s: %+v, by way of JSON %+v", bad, short, long)
		}
	}
}

func TestReadFrame(t *testing.T) {
	content := string(appendContent(nil, 1, mark{seq: 3}, 50))
	for _, msgPack := range []bool{false, true} {
		f := codec.JSON
		if msgPack {
			f = codec.MsgPack
		}
		for _, c := range []struct {
			payload []byte
			want    frame
		}{
			{codec.AppendMessage(nil, f, &codec.Message{ID: codec.ID{Epoch: "e", Offset: 9}, Username: `a"b`, Content: content}),
				frame{typ: "message", content: []byte(content), offset: 9}},
			{codec.AppendEvent(nil, f, "", &codec.Event{Type: codec.TypeTyping, Username: "x"}), frame{typ: "typing"}},
			{codec.AppendSubscribed(nil, f, &codec.Subscribed{Room: "r", Head: codec.ID{Epoch: "e", Offset: 4}, MaxContent: 99}),
				frame{typ: "subscribed", offset: 4, maxContent: 99}},
			{codec.AppendError(nil, f, &codec.Error{Code: "c", Message: "m", Key: "k"}), frame{typ: "error", code: "c", text: "m"}},
			{codec.AppendAck(nil, f, &codec.Ack{Key: "k", ID: codec.ID{Epoch: "e", Offset: 4}, Durable: true}), frame{typ: "ack", offset: 4}},
		} {
			got, ok := readFrame(c.payload, msgPack, 50)
			if !ok || got.typ != c.want.typ || !bytes.Equal(got.content, c.want.content) || got.offset != c.want.offset ||
				got.code != c.want.code || got.text != c.want.text || got.maxContent != c.want.maxContent {
				t.Errorf("%q: %+v %v, want %+v", c.payload, got, ok, c.want)
			}
			for i := range c.payload {
				if _, ok := readFrame(c.payload[:i], msgPack, 50); ok {
					t.Errorf("%q is taken", c.payload[:i])
				}
			}
			if _, ok := readFrame(append(bytes.Clone(c.payload), 1), msgPack, 50); ok {
				t.Errorf("%q with a byte after it is taken", c.payload)
			}
		}
	}
}

// What is published decodes as the server has it.
func TestAppendMessage(t *testing.T) {
	content := appendContent(nil, 1, mark{}, 300)
	for _, msgPack := range []bool{false, true} {
		got, err := codec.Limits{}.DecodeClient(msgPack, appendMessage(nil, msgPack, content, []byte("c-17")))
		if err != nil || got.Type != codec.TypeMessage || got.Content != string(content) || got.Key != "c-17" {
			t.Errorf("%+v %v", got, err)
		}
	}
}

// Frames are found however the bytes are cut.
func TestInbox(t *testing.T) {
	var stream []byte
	var want []string
	for _, n := range []int{0, 1, 125, 126, 1 << 10, 65535, 65536, 3} {
		p := bytes.Repeat([]byte{byte('a' + n%26)}, n)
		if n <= 65535 {
			stream = append(stream, serverFrame(opText, p)...)
		} else {
			stream = append(append(stream, 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0), p...)
		}
		want = append(want, string(p))
	}
	stream = append(stream, 0x01, 2, 'h', 'e', 0x89, 1, '!', 0x00, 1, 'l', 0x80, 2, 'l', 'o')
	want = append(want, "!", "hello")
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves": iotest.HalfReader(bytes.NewReader(stream)), "end with data": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		in := inbox{from: r, max: 1 << 20, clock: func() int64 { return 0 }}
		for i, w := range want {
			if _, p, err := in.next(); err != nil || string(p) != w {
				t.Fatalf("%s: frame %d: %d bytes %v, want %d", name, i, len(p), err, len(w))
			}
		}
		if _, _, err := in.next(); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
	for _, bad := range []string{
		"\xc1\x01a", "\x81\x81abcda", // reserved bit, masked
		"\x80\x01a", "\x01\x01a\x81\x01b", "\x09\x00", // continues nothing, begins twice, control frame in parts
		"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x01", // lengths
	} {
		in := inbox{from: strings.NewReader(bad), max: 1 << 20, clock: func() int64 { return 0 }}
		var err error
		for err == nil {
			_, _, err = in.next()
		}
		if !errors.Is(err, errFrame) {
			t.Errorf("% x: %v", bad, err)
		}
	}
	in := inbox{from: strings.NewReader("\x81\x05abc"), max: 1 << 20, clock: func() int64 { return 0 }}
	if _, _, err := in.next(); err != io.ErrUnexpectedEOF {
		t.Errorf("cut in the middle: %v", err)
	}
}

func TestTracker(t *testing.T) {
	type see struct {
		pub    int
		seq    uint32
		offset uint64
		want   verdict
	}
	fresh := verdict{fresh: true}
	for name, c := range map[string]struct {
		sees []see
		lost int64 // of 10 of publisher 0
	}{
		"order":        {[]see{{0, 0, 1, fresh}, {1, 0, 2, fresh}, {0, 1, 3, fresh}}, 8},
		"gap":          {[]see{{0, 4, 5, verdict{fresh: true, missing: 4}}}, 9},
		"late":         {[]see{{0, 1, 2, verdict{fresh: true, missing: 1}}, {0, 0, 1, verdict{true, true, -1}}, {0, 0, 1, verdict{}}}, 8},
		"twice":        {[]see{{0, 0, 1, fresh}, {0, 0, 1, verdict{}}}, 9},
		"split a gap":  {[]see{{0, 9, 10, verdict{fresh: true, missing: 9}}, {0, 4, 5, verdict{true, true, -1}}, {0, 4, 5, verdict{}}, {0, 0, 1, verdict{true, true, -1}}, {0, 3, 4, verdict{true, true, -1}}, {0, 8, 9, verdict{true, true, -1}}}, 5},
		"other's gap":  {[]see{{1, 5, 6, verdict{fresh: true, missing: 5}}, {0, 0, 7, fresh}, {0, 0, 7, verdict{}}}, 9},
		"wrong offset": {[]see{{0, 0, 5, fresh}, {1, 0, 5, verdict{fresh: true, reordered: true}}, {1, 1, 4, verdict{fresh: true, reordered: true}}}, 9},
	} {
		tr := tracker{next: make([]uint32, 2)}
		for i, s := range c.sees {
			if got := tr.see(s.pub, s.seq, s.offset); got != s.want {
				t.Errorf("%s: %d: %+v, want %+v", name, i, got, s.want)
			}
		}
		if got := tr.lost(0, 10); got != c.lost {
			t.Errorf("%s: lost %d, want %d", name, got, c.lost)
		}
	}
	// Any order in the end leaves nothing missing.
	tr := tracker{next: make([]uint32, 1)}
	missing := int64(0)
	for _, i := range rand.Perm(500) {
		v := tr.see(0, uint32(i), uint64(i))
		missing += v.missing
		if !v.fresh || tr.see(0, uint32(i), uint64(i)).fresh {
			t.Fatalf("%d: %+v", i, v)
		}
	}
	if missing != 0 || len(tr.gaps) != 0 || tr.lost(0, 500) != 0 {
		t.Errorf("missing %d, gaps %v", missing, tr.gaps)
	}
}

func TestHistogram(t *testing.T) {
	for i := range buckets - 1 {
		if top := bucketTop(i); bucketOf(top) != i || bucketOf(top+1) != i+1 {
			t.Fatalf("bucket %d ends at %d, which is in %d, the next in %d", i, top, bucketOf(top), bucketOf(top+1))
		}
	}
	if bucketOf(-1) != 0 || bucketOf(1<<62) != buckets-1 {
		t.Error("what is out of range is not in the outermost buckets")
	}
	h := new(histogram)
	var all []int64
	for range 10_000 {
		ns := int64(1) << rand.IntN(40)
		ns += rand.Int64N(ns)
		all = append(all, ns)
		h.add(ns)
	}
	slices.Sort(all)
	var sum tally
	sum.add(h)
	for _, p := range []float64{1, 50, 90, 99, 99.9, 100} {
		got, exact := int64(sum.percentile(p)), all[int(p/100*10_000+0.5)-1]
		if got < exact || float64(got) > float64(exact)*1.033 {
			t.Errorf("p%g: %d, exactly %d", p, got, exact)
		}
	}
	rows, total := sum.octave(), int64(0)
	for i, row := range rows {
		exact := int64(0)
		for _, ns := range all {
			if ns >= int64(row.From) && ns < int64(row.To) {
				exact++
			}
		}
		if row.Count != exact || i > 0 && row.From != rows[i-1].To {
			t.Errorf("row %v to %v has %d, exactly %d", row.From, row.To, row.Count, exact)
		}
		total += row.Count
	}
	if total != 10_000 {
		t.Errorf("%d in all rows", total)
	}
	if got := new(tally).percentile(99); got != 0 || len(new(tally).octave()) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	one := new(histogram)
	one.add(int64(70 * time.Microsecond))
	sum = tally{}
	sum.add(one)
	if got := sum.percentile(50); got != 70*time.Microsecond {
		t.Errorf("of one: %v", got)
	}
}

func TestReasons(t *testing.T) {
	var n reasonCount
	if list := n.list(); list == nil || len(list) != 0 {
		t.Errorf("of nothing: %v", list)
	}
	for i := range 100 {
		n.add(strings.Repeat("x", i+1))
	}
	n.add("xxx")
	list := n.list()
	if len(list) != maxReasons+1 || list[0] != (Reason{80, otherReason}) || list[1] != (Reason{2, "xxx"}) {
		t.Errorf("%v", list)
	}
}
