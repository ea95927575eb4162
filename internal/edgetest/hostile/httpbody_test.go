package hostile

import (
	"strconv"
	"strings"
)

// sized is a POST whose fields are these alone, with a body of "hi".
func sized(fields ...string) string {
	return with("POST", "/chat/room/hostile/messages", "hi", fields...)
}

// chunked is a POST with these chunks, to their last byte.
func chunked(chunks string) string {
	return with("POST", "/chat/room/hostile/messages", chunks, "Transfer-Encoding: chunked")
}

// RFC 9112 section 6, how long a body is. Whoever is wrong about that is answered no more on the connection: what comes
// behind may be anybody's (section 11.2, request smuggling).
var lengths = []request{
	{"as it should be", sized("Content-Length: 2"), "201 +"},
	{"twice the same (section 6.3: one, or refused)", sized("Content-Length: 2", "Content-Length: 2"), "201 +"},
	{"twice the same in one line", sized("Content-Length: 2, 2"), "400"},
	{"two that differ", sized("Content-Length: 2", "Content-Length: 3"), "400"},
	{"two that differ, the first is 0", sized("Content-Length: 0", "Content-Length: 2"), "400"},
	{"two that differ as text", sized("Content-Length: 2", "Content-Length: 02"), "400"},
	{"a sign", sized("Content-Length: +2"), "400"},
	{"less than none", sized("Content-Length: -2"), "400"},
	{"hexadecimal", sized("Content-Length: 0x2"), "400"},
	{"a fraction", sized("Content-Length: 2.0"), "400"},
	{"an exponent", sized("Content-Length: 2e0"), "400"},
	{"two numbers", sized("Content-Length: 2 2"), "400"},
	{"an underscore", sized("Content-Length: 0_2"), "400"},
	{"digits of another script", sized("Content-Length: ２"), "400"},
	{"no number", sized("Content-Length: hi"), "400"},
	{"an empty one", sized("Content-Length:"), "400"},
	{"2^63", sized("Content-Length: 9223372036854775808"), "400"},
	{"2^64 and 2", sized("Content-Length: 18446744073709551618"), "400"},
	{"a gigabyte that never comes", sized("Content-Length: 1000000000"), "413 too_large"},
	{"more than it may", post(strings.Repeat("x", 30_000)), "413 too_large"},
	{"more than a message may", post(strings.Repeat("x", 5000)), "400 invalid_message +"},
	{"none, which is an empty body", with("POST", "/chat/room/hostile/messages", ""), "400 invalid_message +"},
	{"a body where there is none", with("GET", "/healthz", "hi", "Content-Length: 2"), "200 +"},
	{"a long body where there is none", with("GET", "/healthz", strings.Repeat("x", 300<<10), "Content-Length: "+strconv.Itoa(300<<10)), "200"},
	{"a body of another request", with("GET", "/healthz", get("/nothing"), "Content-Length: "+strconv.Itoa(len(get("/nothing")))), "200 +"},

	// Section 6.1: the connection must be closed.
	{"a length and chunks", with("POST", "/chat/room/hostile/messages", "2\r\nhi\r\n0\r\n\r\n", "Content-Length: 12", "Transfer-Encoding: chunked"), "201"},
	{"chunks and a length", with("POST", "/chat/room/hostile/messages", "2\r\nhi\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 2"), "201"},
	{"a length and chunks where there is none", with("GET", "/healthz", "0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"), "200"},
	{"a length behind which a request hides", with("POST", "/chat/room/hostile/messages", "0\r\n\r\n"+get("/nothing"), "Content-Length: 60", "Transfer-Encoding: chunked"), "400 invalid_message"},
	{"chunks by HTTP/1.0", "POST /chat/room/hostile/messages HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "400 invalid_message"},
	{"chunks by HTTP/1.0 where there is none", "GET /chat/rooms HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200"},
}

// RFC 9112 section 7, chunks. A connection that has sent some is closed behind the answer, since nobody knows then whether
// it had a length, too.
var chunks = []request{
	{"as it should be", chunked("2\r\nhi\r\n0\r\n\r\n"), "201"},
	{"two of them", chunked("1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"), "201"},
	{"with an extension", chunked("2;a=\"b\"\r\nhi\r\n0;c\r\n\r\n"), "201"},
	{"zeros before the size", chunked("0002\r\nhi\r\n0\r\n\r\n"), "201"},
	{"trailers", chunked("2\r\nhi\r\n0\r\nX: y\r\n\r\n"), "201"},
	{"a trailer that is a length", chunked("2\r\nhi\r\n0\r\nContent-Length: 60\r\n\r\n"), "201"},
	{"trailers that are none", chunked("2\r\nhi\r\n0\r\nX y\r\n\r\n"), "400 invalid_message"},
	{"trailers without an end", chunked("2\r\nhi\r\n0\r\n" + strings.Repeat("X: y\r\n", 50_000) + "\r\n"), "400 invalid_message"},
	{"no size", chunked("\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"no digit", chunked("g\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"a sign", chunked("+2\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"less than none", chunked("-2\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"0x", chunked("0x2\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"a space before", chunked(" 2\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"2^64 and 2", chunked("10000000000000002\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"2^63", chunked("8000000000000000\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"no line behind the data", chunked("2\r\nhi0\r\n\r\n"), "400 invalid_message"},
	{"more data than was said", chunked("1\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"LF behind a size", chunked("2\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"CR alone behind a size", chunked("2\rhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"a LF in an extension", chunked("2;a\nb\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"an extension without an end", chunked("2;" + strings.Repeat("a", 20<<10) + "\r\nhi\r\n0\r\n\r\n"), "400 invalid_message"},
	{"an extension for each byte", chunked(strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\nx\r\n", 500) + "0\r\n\r\n"), "400 invalid_message"},
	{"more than it may", chunked(strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 10) + "0\r\n\r\n"), "413 too_large"},
	{"twice", with("POST", "/chat/room/hostile/messages", "2\r\nhi\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "501"},
	{"twice in one line", with("POST", "/chat/room/hostile/messages", "2\r\nhi\r\n0\r\n\r\n", "Transfer-Encoding: chunked, chunked"), "501"},
	{"identity", sized("Transfer-Encoding: identity", "Content-Length: 2"), "501"},
	{"gzip and chunks", with("POST", "/chat/room/hostile/messages", "2\r\nhi\r\n0\r\n\r\n", "Transfer-Encoding: gzip, chunked"), "501"},
	{"chunks in other letters", with("POST", "/chat/room/hostile/messages", "2\r\nhi\r\n0\r\n\r\n", "Transfer-Encoding: Chunked"), "201"},
	{"nearly chunks", with("POST", "/chat/room/hostile/messages", "2\r\nhi\r\n0\r\n\r\n", "Transfer-Encoding: xchunked"), "501"},
	{"chunks with a tab", with("POST", "/chat/room/hostile/messages", "2\r\nhi\r\n0\r\n\r\n", "Transfer-Encoding: \x0bchunked"), "400"},
	{"an empty one", sized("Transfer-Encoding:", "Content-Length: 2"), "501"},
	{"no more than told (TE, Trailer)", post("hi", "TE: trailers", "Trailer: X"), "201 +"},
}

// RFC 9110 section 10.1.1, Expect.
var expectations = []request{
	{"100-continue", post("hi", "Expect: 100-continue"), "100 201 +"},
	{"100-continue where nothing is read", with("GET", "/healthz", "", "Expect: 100-continue"), "200 +"},
	{"100-continue for too much", sized("Expect: 100-continue", "Content-Length: 1000000"), "413 too_large"},
	{"100-continue by HTTP/1.0, which is ignored", "POST /chat/room/hostile/messages HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "201"},
	{"something else", post("hi", "Expect: the Spanish Inquisition"), "417"},
}
