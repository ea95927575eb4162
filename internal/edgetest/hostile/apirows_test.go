package hostile

import (
	"strconv"
	"strings"
)

func room(name string) string { return get("/chat/room/" + name + "/messages") }

// Names of rooms and people, as docs/protocol.md has them.
var rooms = []request{
	{"letters of all scripts", room("%D0%BA%D0%BE%D0%BC%D0%BD%D0%B0%D1%82%D0%B0-%E4%BA%BA.1_"), "200 +"},
	{"a NUL", room("a%00b"), "400 invalid_room +"},
	{"an escape of an escape", room("a%2500b"), "400 invalid_room +"},
	{"a slash", room("a%2Fb"), "400 invalid_room +"},
	{"a backslash", room("a%5Cb"), "400 invalid_room +"},
	{"nothing", room(""), "400 invalid_room +"},
	{"a dot", room("%2e"), "400 invalid_room +"},
	{"two dots", room("%2E%2e"), "400 invalid_room +"},
	{"two dots as they are", room(".."), "400 invalid_room +"},
	{"no UTF-8", room("%ff"), "400 invalid_room +"},
	{"longer than it need be", room("%c0%af"), "400 invalid_room +"},
	{"half a surrogate pair", room("%ed%a0%80"), "400 invalid_room +"},
	{"65 letters", room(strings.Repeat("a", 65)), "400 invalid_room +"},
	{"ten thousand letters", room(strings.Repeat("a", 10_000)), "400 invalid_room +"},
	{"a space", room("a%20b"), "400 invalid_room +"},
	{"a line", room("a%0d%0aSet-Cookie:%20x=y"), "400 invalid_room +"},
	{"tags", room("%3Cscript%3E"), "400 invalid_room +"},
	{"text from right to left", room("a%e2%80%aeb"), "400 invalid_room +"},
	{"a space that nobody sees", room("a%e2%80%8bb"), "400 invalid_room +"},
	{"a smile", room("%f0%9f%98%80"), "400 invalid_room +"},
	{"four marks", room("a" + strings.Repeat("%cc%81", 4)), "200 +"},
	{"64 marks", room("a" + strings.Repeat("%cc%81", 63)), "400 invalid_room +"},
	{"somebody with a NUL", get("/chat/room/hostile/messages?username=a%00b"), "400 invalid_username +"},
	{"somebody of 33 letters", get("/chat/room/hostile/messages?username=" + strings.Repeat("a", 33)), "400 invalid_username +"},
	{"somebody of spaces", get("/chat/room/hostile/messages?username=%20%20"), "400 invalid_username +"},
	{"somebody from right to left", get("/chat/room/hostile/messages?username=a%e2%80%aeb"), "400 invalid_username +"},
	{"somebody who is no UTF-8", get("/chat/room/hostile/messages?username=%ff"), "400 invalid_username +"},
	{"somebody with a line", get("/chat/room/hostile/messages?username=a%0ab"), "400 invalid_username +"},
	{"two names", get("/chat/room/hostile/messages?username=a&username=b"), "200 +"},
	{"a token where there are none", get("/chat/room/hostile/messages", "Authorization: Bearer x"), "200 +"},
	{"two tokens where there are none", get("/chat/room/hostile/messages?token=a", "Authorization: Bearer b"), "200 +"},
	{"a WebSocket to a room that is none", Handshake("a%00b", ""), "400 invalid_room"},
	{"a WebSocket of nobody", Handshake("hostile", "username=%20"), "400 invalid_username"},
	{"a WebSocket of an unknown format", Handshake("hostile", "format=xml"), "400 invalid_query"},
	{"a WebSocket that is half announced", Handshake("hostile", "announce=2"), "400 invalid_query"},
	{"a WebSocket that pages back", Handshake("hostile", "before=k3f9q2-1"), "400 invalid_query"},
	{"a WebSocket of many rooms with a cursor", strings.Replace(Handshake("x", "since=all"), "/chat/room/x", "/chat", 1), "400 invalid_query"},
}

func history(query string) string { return get("/chat/room/hostile/messages?" + query) }

// Cursors and numbers.
var cursors = []request{
	{"of an unknown epoch", history("since=zzzzzz-1"), "200 +"},
	{"far in the future", history("since=zzzzzz-9007199254740991"), "200 +"},
	{"of no epoch", history("since=-1"), "400 invalid_query +"},
	{"of no offset", history("since=zzzzzz-"), "400 invalid_query +"},
	{"a number alone", history("since=1"), "400 invalid_query +"},
	{"below 0", history("since=zzzzzz--1"), "400 invalid_query +"},
	{"with zeros", history("since=zzzzzz-01"), "400 invalid_query +"},
	{"with a sign", history("since=zzzzzz-%2B1"), "400 invalid_query +"},
	{"2^64", history("since=zzzzzz-18446744073709551616"), "400 invalid_query +"},
	{"without an end", history("since=zzzzzz-" + strings.Repeat("9", 5000)), "400 invalid_query +"},
	{"of a long epoch", history("since=" + strings.Repeat("z", 5000) + "-1"), "400 invalid_query +"},
	{"a NUL", history("since=zzz%00zz-1"), "400 invalid_query +"},
	{"all, where it pages back", history("before=all"), "400 invalid_query +"},
	{"forth and back", history("since=zzzzzz-1&before=zzzzzz-2"), "400 invalid_query +"},
	{"none of them", history("limit=0"), "400 invalid_query +"},
	{"fewer than none", history("limit=-1"), "400 invalid_query +"},
	{"more than there are", history("limit=2000000000"), "200 +"},
	{"2^31", history("limit=2147483648"), "400 invalid_query +"},
	{"2^64", history("limit=18446744073709551617"), "400 invalid_query +"},
	{"a fraction", history("limit=1.5"), "400 invalid_query +"},
	{"digits of another script", history("limit=%ef%bc%91"), "400 invalid_query +"},
	{"text", history("limit=many"), "400 invalid_query +"},
}

func object(body string) string { return post(body, "Content-Type: application/json") }

// Messages over HTTP.
var posts = []request{
	{"as it should be", object(`{"content":"hi"}`), "201 +"},
	{"nothing", object(``), "400 invalid_message +"},
	{"half an object", object(`{"content":"hi"`), "400 invalid_message +"},
	{"an array", object(`["content","hi"]`), "400 invalid_message +"},
	{"no content", object(`{"username":"x"}`), "400 invalid_message +"},
	{"content that is null", object(`{"content":null}`), "400 invalid_message +"},
	{"content that is a number", object(`{"content":1e999999}`), "400 invalid_message +"},
	{"content twice", object(`{"content":"a","content":"b"}`), "400 invalid_message +"},
	{"content twice, escaped", object(`{"content":"a","c\u006fntent":"b"}`), "400 invalid_message +"},
	{"half a surrogate pair", object(`{"content":"\ud83d"}`), "400 invalid_message +"},
	{"no UTF-8", object("{\"content\":\"\xff\"}"), "400 invalid_message +"},
	{"a BOM", object("\ufeff{\"content\":\"hi\"}"), "400 invalid_message +"},
	{"two objects", object(`{"content":"a"}{"content":"b"}`), "400 invalid_message +"},
	{"ten thousand deep", object(`{"content":"hi","x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`), "400 invalid_message +"},
	{"content of 4097 bytes", object(`{"content":"` + strings.Repeat("x", 4097) + `"}`), "400 invalid_message +"},
	{"somebody with a NUL", object(`{"content":"hi","username":"a\u0000b"}`), "400 invalid_username +"},
	{"somebody who is a number", object(`{"content":"hi","username":7}`), "400 invalid_message +"},
	{"somebody of 33 letters", object(`{"content":"hi","username":"` + strings.Repeat("a", 33) + `"}`), "400 invalid_username +"},
	{"text that is no UTF-8", post("\xff\xfe", "Content-Type: text/plain"), "400 invalid_message +"},
	{"text with a NUL", post("a\x00b", "Content-Type: text/plain"), "201 +"},
	{"an empty text", post("", "Content-Type: text/plain"), "400 invalid_message +"},
	{"a form", post("content=hi", "Content-Type: application/x-www-form-urlencoded"), "201 +"},
	{"a form with a bad escape", post("content=%zz", "Content-Type: application/x-www-form-urlencoded"), "400 invalid_message +"},
	{"a form with two contents", post("content=a&content=b", "Content-Type: application/x-www-form-urlencoded"), "400 invalid_message +"},
	{"a form of 10,000 fields", post(strings.Repeat("a&", 10_000)+"content=hi", "Content-Type: application/x-www-form-urlencoded"), "400 invalid_message +"},
	{"a form in parts", post("--x\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\nhi\r\n--x--", "Content-Type: multipart/form-data; boundary=x"), "201 +"},
	{"a file", post("--x\r\n\r\nhi\r\n--x--", "Content-Type: multipart/form-data; boundary=x"), "400 invalid_message +"},
	{"parts to no end", post("--x\r\n", "Content-Type: multipart/form-data; boundary=x"), "400 invalid_message +"},
	{"XML", post("<!DOCTYPE x [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", "Content-Type: application/xml"), "415 unsupported_media_type +"},
	{"MessagePack", post("\x81\xa7content\xa2hi", "Content-Type: application/msgpack"), "201 +"},
	{"MessagePack that declares 4 GB", post("\x81\xa7content\xdb\xff\xff\xff\xff", "Content-Type: application/msgpack"), "400 invalid_message +"},
	{"a type of nonsense", post("hi", "Content-Type: ;;;"), "415 unsupported_media_type +"},
	{"a long type", post("hi", "Content-Type: "+strings.Repeat("x", 10_000)+"/y"), "415 unsupported_media_type +"},
	{"gzip", object("\x1f\x8b\x08\x00"), "400 invalid_message +"},
	{"to a room that is none", with("POST", "/chat/room/a%00b/messages", "hi", "Content-Length: 2"), "400 invalid_room +"},
	{"a key of 65 letters", post("hi", "Idempotency-Key: "+strings.Repeat("k", 65)), "400 invalid_message +"},
	{"a key with a tab", post("hi", "Idempotency-Key: a\tb"), "400 invalid_message +"},
	{"a key that is no UTF-8", post("hi", "Idempotency-Key: \xff"), "400 invalid_message +"},
	{"a key of quotes", post("hi", `Idempotency-Key: ""`), "201 +"},
	{"a key of nobody", post("hi", "Idempotency-Key: a"), "400 invalid_message +"},
	{"two keys", post("hi", "Idempotency-Key: a", "Idempotency-Key: b"), "400 invalid_message +"},
	{"an author key of 65 letters", post("hi", "Author-Key: "+strings.Repeat("k", 65)), "400 invalid_message +"},
	{"two author keys", post("hi", "Author-Key: a", "Author-Key: b"), "400 invalid_message +"},
}

func itoa(n int) string { return strconv.Itoa(n) }

func revise(method, id, body string, fields ...string) string {
	return with(method, "/chat/room/hostile/messages/"+id, body, append(fields, "Content-Length: "+itoa(len(body)))...)
}

// Edits and deletions of what is not there. TestOthers has those of what is.
var revisions = []request{
	{"of an unknown epoch", revise("DELETE", "zzzzzz-1", ""), "404 not_found +"},
	{"of offset 0", revise("DELETE", "zzzzzz-0", ""), "404 not_found +"},
	{"of the last offset", revise("DELETE", "zzzzzz-9007199254740991", ""), "404 not_found +"},
	{"2^64", revise("DELETE", "zzzzzz-18446744073709551616", ""), "400 invalid_query +"},
	{"no id", revise("DELETE", "x", ""), "400 invalid_query +"},
	{"a NUL", revise("DELETE", "a%00-1", ""), "400 invalid_query +"},
	{"dots", revise("DELETE", "..", ""), "400 invalid_query +"},
	{"a slash", revise("DELETE", "a%2Fb", ""), "400 invalid_query +"},
	{"nothing", revise("DELETE", "", ""), "404 not_found +"},
	{"an edit", revise("PATCH", "zzzzzz-1", "hi"), "404 not_found +"},
	{"an edit to nothing", revise("PATCH", "zzzzzz-1", ""), "400 invalid_message +"},
	{"an edit to too much", revise("PATCH", "zzzzzz-1", strings.Repeat("x", 30_000)), "413 too_large"},
	{"an edit by nobody", revise("PATCH", "zzzzzz-1", "hi", "Author-Key: "+strings.Repeat("k", 65)), "400 invalid_message +"},
	{"GET of one", get("/chat/room/hostile/messages/zzzzzz-1"), "405 method_not_allowed +"},
}
