package codec

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// The decoders of clients' frames once more, on top of encoding/json and of msgp, which
// the fuzz targets compare with the ones that serve.

// found is what a frame says under the names that are known: nil, a string, a bool, a uint64,
// or useless.
type found map[string]any

// useless is a value that no field takes, or a name that was there twice.
type useless struct{}

var knownNames = map[string]bool{
	"type": true, "content": true, "idempotency_key": true, "room": true, "since": true, "limit": true, "announce": true,
	"id": true, "author_key": true,
}

// note adds a value that seen does not have.
func (f found) note(seen map[string]bool, name string, v any) {
	if seen[name] {
		v = useless{}
	}
	seen[name] = true
	f[name] = v
}

var (
	escapeSequence = regexp.MustCompile(`\\(?:u[0-9a-fA-F]{4}|[^u])`)
	quotedText     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// referenceJSON decodes a frame, or says that it is to be refused, then with
// its key and room if they can be known.
func referenceJSON(t *testing.T, data []byte) (want Client, ok bool) {
	if !utf8.Valid(data) || !json.Valid(data) || bytes.TrimLeft(data, " \t\r\n")[0] != '{' {
		return Client{}, false
	}
	f, seen := found{}, map[string]bool{}
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
		if knownNames[name] {
			f.note(seen, name, valueJSON(raw))
		}
	}
	if deep {
		return Client{}, false
	}
	return f.assemble()
}

func valueJSON(raw []byte) any {
	var v any
	if n, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
		return n
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return useless{}
	}
	switch v := v.(type) {
	case nil, bool:
		return v
	case string:
		if !hasLoneSurrogate(raw, v) {
			return v
		}
	}
	return useless{}
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

// referenceMsgPack is referenceJSON for the other format.
func referenceMsgPack(data []byte) (want Client, ok bool) {
	n, rest, err := msgp.ReadMapHeaderBytes(data)
	if err != nil {
		return Client{}, false
	}
	f, seen := found{}, map[string]bool{}
	for ; n > 0; n-- {
		var name string
		if name, rest, err = msgp.ReadStringBytes(rest); err != nil {
			return Client{}, false
		}
		value := rest
		if rest, err = msgp.Skip(rest); err != nil {
			return Client{}, false
		}
		if knownNames[name] {
			f.note(seen, name, valueMsgPack(value))
		}
	}
	if len(rest) > 0 {
		return Client{}, false
	}
	return f.assemble()
}

func valueMsgPack(raw []byte) any {
	switch msgp.NextType(raw) {
	case msgp.NilType:
		return nil
	case msgp.BoolType:
		yes, _, _ := msgp.ReadBoolBytes(raw)
		return yes
	case msgp.IntType, msgp.UintType:
		if n, _, err := msgp.ReadUint64Bytes(raw); err == nil {
			return n
		}
	case msgp.StrType:
		if text, _, err := msgp.ReadStringBytes(raw); err == nil && utf8.ValidString(text) {
			return text
		}
	}
	return useless{}
}

// text returns a string that may be left out, and whether it is that.
func (f found) text(name string) (s string, ok bool) {
	s, ok = f[name].(string)
	return s, ok || f[name] == nil
}

// keyText is text for a key, which has 1-64 characters, none of which controls.
func (f found) keyText(name string) (key string, ok bool) {
	key, ok = f.text(name)
	if ok && f[name] != nil {
		n := 0
		for _, r := range key {
			n++
			ok = ok && !unicode.Is(unicode.Cc, r)
		}
		ok = ok && 1 <= n && n <= 64
	}
	return key, ok
}

// assemble judges a frame by the rules of the protocol, written out once more.
func (f found) assemble() (want Client, ok bool) {
	typ, typOK := f.text("type")
	content, contentOK := f.text("content")
	room, roomOK := f.text("room")
	key, keyOK := f.keyText("idempotency_key")
	author, authorOK := f.keyText("author_key")
	if keyOK {
		want.Key = key
	}
	if roomOK = roomOK && len(room) <= 256; roomOK {
		want.Room = roomForm(room)
	}
	if !typOK || !contentOK || !roomOK || !keyOK || len(content) > fuzzLimits.MaxContent {
		return want, false
	}
	want.Type = Type(typ)
	switch typ {
	case "message":
		want.Content, want.AuthorKey = content, author
		return want, authorOK
	case "edit", "delete":
		if typ == "edit" {
			want.Content = content
		}
		want.AuthorKey = author
		id, isText := f["id"].(string)
		target, err := ParseID(id)
		want.Target = target
		return want, authorOK && isText && err == nil && (typ == "delete" || f["content"] != nil)
	case "typing":
		want.Key = ""
	case "ping":
		want.Key, want.Room = "", ""
	case "leave":
		return want, room != ""
	case "join":
		ok := f.join(&want.Join)
		_, err := CleanRoom(room)
		return want, ok && err == nil
	default:
		return want, false
	}
	return want, true
}

func (f found) join(want *Join) (ok bool) {
	since, ok := f.text("since")
	if want.Replay = f["since"] != nil; want.Replay && since != "all" {
		id, err := ParseID(since)
		want.Since, ok = id, ok && err == nil
	}
	if limit, isNumber := f["limit"].(uint64); isNumber {
		want.Limit = int(limit)
		ok = ok && 1 <= limit && limit <= 1<<31-1
	} else {
		ok = ok && f["limit"] == nil
	}
	announce, isBool := f["announce"].(bool)
	want.Quiet = isBool && !announce
	return ok && (isBool || f["announce"] == nil)
}
