package load

import (
	"bytes"
	"encoding/json"

	"github.com/tinylib/msgp/msgp"
)

// A frame is what the load looks at in a frame from the server.
type frame struct {
	typ        string
	content    []byte // of a message
	offset     uint64 // of a message
	code, text string // of an error
	maxContent int    // of subscribed
}

// appendMessage appends the payload that publishes content, which is ASCII that
// JSON does not escape, as a key is, if there is one.
func appendMessage(dst []byte, msgPack bool, content, key []byte) []byte {
	if msgPack {
		dst = msgp.AppendMapHeader(dst, uint32(2+min(len(key), 1)))
		if len(key) > 0 {
			dst = msgp.AppendString(dst, "idempotency_key")
			dst = msgp.AppendStringFromBytes(dst, key)
		}
		dst = msgp.AppendString(dst, "type")
		dst = msgp.AppendString(dst, "message")
		dst = msgp.AppendString(dst, "content")
		return msgp.AppendStringFromBytes(dst, content)
	}
	dst = append(dst, `{"type":"message","content":"`...)
	dst = append(dst, content...)
	if len(key) > 0 {
		dst = append(dst, `","idempotency_key":"`...)
		dst = append(dst, key...)
	}
	return append(dst, `"}`...)
}

// readFrame reads a payload; ok is false if it is none of the protocol. The
// content is part of the payload, or a copy.
func readFrame(payload []byte, msgPack bool, size int) (f frame, ok bool) {
	if msgPack {
		return readMsgPack(payload)
	}
	if f, ok := readUsual(payload, size); ok {
		return f, true
	}
	return readJSON(payload)
}

// readJSON reads any frame, in some microseconds.
func readJSON(payload []byte) (frame, bool) {
	var x struct {
		Type       string
		Content    *string
		Offset     uint64
		Code       string
		Message    string
		MaxContent int `json:"max_content_bytes"`
	}
	if err := json.Unmarshal(payload, &x); err != nil {
		return frame{}, false
	}
	f := frame{typ: x.Type, offset: x.Offset, code: x.Code, text: x.Message, maxContent: x.MaxContent}
	if x.Content != nil {
		f.content = []byte(*x.Content)
	}
	return f, f.typ != ""
}

// readUsual reads messages and events as edgechat writes them, with every byte
// but those of the name and the time checked, at the cost of a comparison: a load that
// spends more on a delivery than the server would measure itself. What it does not
// know is no error: readJSON decides.
func readUsual(p []byte, size int) (f frame, ok bool) {
	rest, ok := bytes.CutPrefix(p, []byte(`{"type":"`))
	if !ok {
		return f, false
	}
	switch {
	case bytes.HasPrefix(rest, []byte(`joined","username":"`)) && bytes.HasSuffix(rest, []byte(`Z"}`)):
		return frame{typ: "joined"}, true
	case bytes.HasPrefix(rest, []byte(`left","username":"`)) && bytes.HasSuffix(rest, []byte(`Z"}`)):
		return frame{typ: "left"}, true
	}
	rest, ok = bytes.CutPrefix(rest, []byte(`message","username":"`))
	if !ok {
		return f, false
	}
	name := bytes.IndexByte(rest, '"')
	if name < 0 || bytes.IndexByte(rest[:name], '\\') >= 0 {
		return f, false
	}
	rest, ok = bytes.CutPrefix(rest[name:], []byte(`","content":"`))
	if !ok || len(rest) < size {
		return f, false
	}
	content := rest[:size] // whatever it holds: its checksum is looked at
	rest, ok = bytes.CutPrefix(rest[size:], []byte(`","timestamp":"`))
	const stamp = len("2026-11-22T12:00:00.123Z")
	if !ok || len(rest) < stamp {
		return f, false
	}
	rest, ok = bytes.CutPrefix(rest[stamp:], []byte(`","id":"`))
	dash := bytes.IndexByte(rest, '-')
	if !ok || dash < 0 {
		return f, false
	}
	number := rest[dash+1:]
	quote := bytes.IndexByte(number, '"')
	if quote < 0 {
		return f, false
	}
	number, rest = number[:quote], number[quote:]
	rest, ok = bytes.CutPrefix(rest, []byte(`","offset":`))
	if !ok || len(number) == 0 || len(number) > 16 || len(rest) != len(number)+1 || rest[len(number)] != '}' || !bytes.Equal(rest[:len(number)], number) {
		return f, false
	}
	var offset uint64
	for _, c := range number {
		if c < '0' || c > '9' {
			return f, false
		}
		offset = offset*10 + uint64(c-'0')
	}
	return frame{typ: "message", content: content, offset: offset}, true
}

func readMsgPack(p []byte) (f frame, ok bool) {
	n, p, err := msgp.ReadMapHeaderBytes(p)
	if err != nil {
		return f, false
	}
	text := func(dst *string) {
		var s []byte
		if s, p, err = msgp.ReadStringZC(p); err == nil {
			*dst = typeName(s)
		}
	}
	for range n {
		var key []byte
		if key, p, err = msgp.ReadMapKeyZC(p); err != nil {
			return f, false
		}
		switch string(key) {
		case "type":
			text(&f.typ)
		case "code":
			text(&f.code)
		case "message":
			text(&f.text)
		case "content":
			f.content, p, err = msgp.ReadStringZC(p)
		case "offset":
			f.offset, p, err = msgp.ReadUint64Bytes(p)
		case "max_content_bytes":
			f.maxContent, p, err = msgp.ReadIntBytes(p)
		default:
			p, err = msgp.Skip(p)
		}
		if err != nil {
			return f, false
		}
	}
	return f, f.typ != "" && len(p) == 0
}

// typeName spares the allocation for the types that come often.
func typeName(s []byte) string {
	for _, known := range [...]string{"message", "joined", "left", "typing"} {
		if string(s) == known {
			return known
		}
	}
	return string(s)
}
