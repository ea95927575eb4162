package hostile

import (
	"fmt"
	"strings"
	"testing"

	"edgechat/internal/edgetest"
)

// messages are sent as frames that are well-formed, and hold what is not.
func messages(t *testing.T, addr string, f format) {
	long := strings.Repeat("x", 4097)
	rows := []struct{ name, payload, want string }{
		{"no type", f.encode("content", "hi"), "invalid_message +"},
		{"an unknown type", f.encode("type", "shout"), "invalid_message +"},
		{"a type of the server's", f.encode("type", "joined"), "invalid_message +"},
		{"a type in other letters", f.encode("type", "Message", "content", "hi"), "invalid_message +"},
		{"two types", f.encode("type", "message", "type", "typing"), "invalid_message +"},
		{"two contents", f.encode("type", "message", "content", "a", "content", "b"), "invalid_message +"},
		{"content of 4097 bytes", f.encode("type", "message", "content", long), "invalid_message +"},
		{"a key of 65 letters", f.encode("type", "message", "idempotency_key", long[:65]), "invalid_message +"},
		{"an empty key", f.encode("type", "message", "idempotency_key", ""), "invalid_message +"},
		{"an author key of 65 letters", f.encode("type", "message", "author_key", long[:65]), "invalid_message +"},
		{"somebody else's name", f.encode("type", "message", "content", "hi", "username", "root", "id", "zzzzzz-1"), "message +"},
		{"another room", f.encode("type", "message", "content", "hi", "room", "elsewhere"), "not_joined +"},
		{"a join", f.encode("type", "join", "room", "elsewhere"), "invalid_message +"},
		{"a leave", f.encode("type", "leave", "room", "elsewhere"), "invalid_message +"},
		{"an edit without an id", f.encode("type", "edit", "content", "hi"), "invalid_message +"},
		{"an edit of what is not there", f.encode("type", "edit", "id", "zzzzzz-1", "content", "hi"), "not_found +"},
		{"a deletion of what is not there", f.encode("type", "delete", "id", "zzzzzz-1"), "not_found +"},
		{"a deletion of 2^64", f.encode("type", "delete", "id", "zzzzzz-18446744073709551616"), "invalid_message +"},
		{"a ping with all sorts of things", f.encode("type", "ping", "room", "x\x00", "id", "?", "since", "?"), "pong +"},
	}
	if f.first == 0x81 {
		rows = append(rows, jsonRows...)
	} else {
		rows = append(rows, msgPackRows...)
	}
	for i, r := range rows {
		path := fmt.Sprintf("/chat/room/messages-%s-%d", f.name, i)
		if got := f.converse(t, addr, path, f.frame(r.payload)); got != r.want {
			t.Errorf("%s: %q: got %s, want %s", r.name, cut(r.payload), got, r.want)
		}
	}
	for _, r := range []struct{ name, payload, want string }{
		{"no room", f.encode("type", "message", "content", "hi"), "invalid_message +"},
		{"not joined", f.encode("type", "message", "content", "hi", "room", "many"), "not_joined +"},
		{"a leave of where it is not", f.encode("type", "leave", "room", "many"), "not_joined +"},
		{"a join of nothing", f.encode("type", "join", "room", ""), "invalid_message +"},
		{"a join of a NUL", f.encode("type", "join", "room", "a\x01b"), "invalid_room +"},
		{"a join of a long name", f.encode("type", "join", "room", long), "invalid_room +"},
		{"a join of dots", f.encode("type", "join", "room", ".."), "invalid_room +"},
		{"a join with a cursor that is none", f.encode("type", "join", "room", "many", "since", "yesterday"), "invalid_message +"},
		{"a join with a limit that is text", f.encode("type", "join", "room", "many", "limit", "5"), "invalid_message +"},
		{"a join that is half announced", f.encode("type", "join", "room", "many", "announce", "no"), "invalid_message +"},
	} {
		if got := f.converse(t, addr, "/chat", f.frame(r.payload)); got != r.want {
			t.Errorf("many rooms, %s: %q: got %s, want %s", r.name, cut(r.payload), got, r.want)
		}
	}
	var joins []byte
	for i := range 33 {
		joins = append(joins, f.text("type", "join", "room", fmt.Sprintf("many-%s-%d", f.name, i))...)
	}
	joins = append(joins, f.text("type", "join", "room", fmt.Sprintf("many-%s-0", f.name))...)
	if got := f.converse(t, addr, "/chat", string(joins)); got != "too_many_rooms already_joined +" {
		t.Errorf("33 rooms, and the first again: %s", got)
	}
	if got := f.converse(t, addr, "/chat/room/nothing-else", strings.Repeat(f.frame("?"), 25)); !strings.HasPrefix(got, strings.Repeat("invalid_message ", 20)+"1008 invalid_message") {
		t.Errorf("nothing but nonsense: %s", got)
	}
	if got := f.converse(t, addr, "/chat/room/pings-"+f.name, strings.Repeat(string(edgetest.Frame(edgetest.OpPong, nil)), 500)); !strings.HasPrefix(got, "1008 rate_limited") {
		t.Errorf("500 pongs: %s", got)
	}
}

// jsonRows are what only JSON can hold.
var jsonRows = []struct{ name, payload, want string }{
	{"no JSON", "hello", "invalid_message +"},
	{"an array", `[{"type":"message"}]`, "invalid_message +"},
	{"a text", `"message"`, "invalid_message +"},
	{"null", `null`, "invalid_message +"},
	{"half an object", `{"type":"message","content":"hi"`, "invalid_message +"},
	{"two objects", `{"type":"message"}{"type":"message"}`, "invalid_message +"},
	{"a comma at the end", `{"type":"message",}`, "invalid_message +"},
	{"a comment", `{"type":"message"/**/}`, "invalid_message +"},
	{"other quotes", `{'type':'message'}`, "invalid_message +"},
	{"a BOM", "\ufeff{\"type\":\"message\"}", "invalid_message +"},
	{"a NUL behind it", "{\"type\":\"message\"}\x00", "invalid_message +"},
	{"a line in a text", "{\"type\":\"message\",\"content\":\"a\nb\"}", "invalid_message +"},
	{"names that are the same, escaped", `{"type":"message","content":"a","c\u006fntent":"b"}`, "invalid_message +"},
	{"half a surrogate pair", `{"type":"message","content":"\ud83d"}`, "invalid_message +"},
	{"the other half", `{"type":"message","content":"\ude00"}`, "invalid_message +"},
	{"halves in the wrong order", `{"type":"message","content":"\ude00\ud83d"}`, "invalid_message +"},
	{"a surrogate pair", `{"type":"message","content":"\ud83d\ude00"}`, "message +"},
	{"a NUL, escaped", `{"type":"message","content":"\u0000"}`, "message +"},
	{"an escape that is none", `{"type":"message","content":"\x41"}`, "invalid_message +"},
	{"a number for a text", `{"type":"message","content":7}`, "invalid_message +"},
	{"a number for a type", `{"type":1}`, "invalid_message +"},
	{"a number without an end", `{"type":"message","content":"hi","x":1` + strings.Repeat("0", 20_000) + `}`, "message +"},
	{"an exponent without an end", `{"type":"message","content":"hi","x":1e` + strings.Repeat("9", 20_000) + `}`, "message +"},
	{"a number that is none", `{"type":"message","content":"hi","x":01}`, "invalid_message +"},
	{"NaN", `{"type":"message","content":"hi","x":NaN}`, "invalid_message +"},
	{"64 deep", `{"type":"message","content":"hi","x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, "message +"},
	{"ten thousand deep", `{"type":"message","x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, "invalid_message +"},
	{"ten thousand deep, without an end", `{"type":"message","x":` + strings.Repeat(`{"a":`, 5_000), "invalid_message +"},
	{"a thousand fields", `{"type":"message","content":"hi"` + strings.Repeat(`,"x":0`, 3000) + `}`, "message +"},
	{"__proto__", `{"type":"message","content":"hi","__proto__":{"type":"x"},"constructor":{}}`, "message +"},
}

// msgPackRows are what only MessagePack can hold. Behind the first name and value there is one that is ignored.
var msgPackRows = func() []struct{ name, payload, want string } {
	type row = struct{ name, payload, want string }
	const say = "\x82\xa4type\xa7message\xa1x" // and the value of x
	rows := []row{
		{"an array", "\x91\xa4type", "invalid_message +"},
		{"a text", "\xa4type", "invalid_message +"},
		{"nil", "\xc0", "invalid_message +"},
		{"a byte that is none", "\xc1", "invalid_message +"},
		{"a name that is a number", "\x81\x01\xa7message", "invalid_message +"},
		{"a name that is a map", "\x81\x80\xa7message", "invalid_message +"},
		{"a text that is no UTF-8", "\x82\xa4type\xa7message\xa7content\xa1\xff", "invalid_message +"},
		{"bytes for a text", "\x82\xa4type\xa7message\xa7content\xc4\x02hi", "invalid_message +"},
		{"an extension for a text", "\x82\xa4type\xa7message\xa7content\xd4\x01h", "invalid_message +"},
		{"an extension", say + "\xc7\x04\x05abcd", "message +"},
		{"a timestamp", say + "\xd6\xff\x00\x00\x00\x00", "message +"},
		{"more behind it", "\x81\xa4type\xa7message\xc0", "invalid_message +"},
		{"fewer fields than were said", "\x8f\xa4type\xa7message", "invalid_message +"},
		{"64 deep", say + strings.Repeat("\x91", 63) + "\xc0", "message +"},
		{"ten thousand arrays deep, which cost nothing here", say + strings.Repeat("\x91", 10_000) + "\xc0", "message +"},
		{"ten thousand maps deep", say + strings.Repeat("\x81\xa0", 10_000) + "\xc0", "message +"},
		{"a limit that is a fraction", "\x83\xa4type\xa4join\xa4room\xa4many\xa5limit\xca\x3f\x80\x00\x00", "invalid_message +"},
		{"JSON", `{"type":"message"}`, "invalid_message +"},
	}
	for _, size := range []string{"\xff\xff\xff\xff", "\x80\x00\x00\x00", "\x7f\xff\xff\xff"} {
		for name, lead := range map[string]string{"array": "\xdd", "map": "\xdf", "text": "\xdb", "bytes": "\xc6", "extension": "\xc9"} {
			rows = append(rows, row{fmt.Sprintf("%s of %x", name, size), lead + size, "invalid_message +"},
				row{fmt.Sprintf("%s of %x that is ignored", name, size), say + lead + size, "invalid_message +"},
				row{fmt.Sprintf("%s of %x in itself", name, size), say + strings.Repeat(lead+size, 5000), "invalid_message +"})
		}
	}
	return rows
}()
