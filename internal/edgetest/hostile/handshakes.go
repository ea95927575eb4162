package hostile

import "strings"

// A HandshakeCase is a request for a WebSocket, as nobody should send it or as somebody may, and its answer. Code is that of the
// body; it is "" for a refusal of net/http's own, or none.
type HandshakeCase struct {
	Name, Request string
	Status        int
	Code          string
}

// ExampleKey is that of RFC 6455 section 1.3, and ExampleAccept its answer.
const (
	ExampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	ExampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// Handshakes are requests for a WebSocket at path.
func Handshakes(path string) []HandshakeCase {
	good := "GET " + path + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + ExampleKey + "\r\n\r\n"
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			panic("hostile: no " + old)
		}
		return strings.Replace(good, old, new, 1)
	}
	add := func(field string) string { return swap("Host: x\r\n", "Host: x\r\n"+field+"\r\n") }
	key := func(key string) string { return swap(ExampleKey, key) }
	return []HandshakeCase{
		{"good", good, 101, ""},
		{"spelled otherwise", strings.NewReplacer("websocket\r", "WebSocket\r", "Connection: Upgrade", "connection: keep-alive, upgrade").Replace(good), 101, ""},
		{"names in other letters", strings.NewReplacer("Sec-WebSocket", "sEC-wEBsOCKET", "Upgrade:", "UPGRADE:", "Host", "HOST").Replace(good), 101, ""},
		{"two Connection lines", swap("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"), 101, ""},
		// RFC 6455 section 4.2.1, what must be there.
		{"no Upgrade", swap("Upgrade: websocket\r\n", ""), 426, "upgrade_required"},
		{"Upgrade to h2c", swap("websocket\r\n", "h2c\r\n"), 426, "upgrade_required"},
		{"Upgrade to h2c or websocket", swap("websocket\r\n", "h2c, websocket\r\n"), 101, ""},
		{"Upgrade to a version of websocket", swap("websocket\r\n", "websocket/13\r\n"), 426, "upgrade_required"},
		{"an empty Upgrade", swap("Upgrade: websocket", "Upgrade:"), 426, "upgrade_required"},
		{"no Connection", swap("Connection: Upgrade\r\n", ""), 400, "bad_handshake"},
		{"Connection: close", swap("Connection: Upgrade\r\n", "Connection: close\r\n"), 400, "bad_handshake"},
		{"a Connection that only begins so", swap("Connection: Upgrade\r\n", "Connection: Upgraded\r\n"), 400, "bad_handshake"},
		{"HTTP/1.0", swap("HTTP/1.1", "HTTP/1.0"), 400, "bad_handshake"},
		{"HTTP/2.0", swap("HTTP/1.1", "HTTP/2.0"), 505, ""},
		{"HEAD", swap("GET", "HEAD"), 400, ""},
		{"POST", swap("GET", "POST"), 405, "method_not_allowed"},
		{"CONNECT", swap("GET", "CONNECT"), 405, "method_not_allowed"},
		{"no version", swap("Sec-WebSocket-Version: 13\r\n", ""), 426, "bad_handshake"},
		{"version 8", swap(": 13", ": 8"), 426, "bad_handshake"},
		{"version 14", swap(": 13", ": 14"), 426, "bad_handshake"},
		{"version 013", swap(": 13", ": 013"), 426, "bad_handshake"},
		{"two versions", swap(": 13", ": 13, 8"), 426, "bad_handshake"},
		{"two lines of versions", add("Sec-WebSocket-Version: 13"), 426, "bad_handshake"},
		{"no key", swap("Sec-WebSocket-Key: "+ExampleKey+"\r\n", ""), 400, "bad_handshake"},
		{"the key of RFC 6455 section 4.1", key("AQIDBAUGBwgJCgsMDQ4PEC=="), 101, ""},
		{"empty key", key(""), 400, "bad_handshake"},
		{"short key", key("dGhl"), 400, "bad_handshake"},
		{"key of 15 bytes", key("dGhlIHNhbXBsZSBub25j"), 400, "bad_handshake"},
		{"key of 17 bytes", key("dGhlIHNhbXBsZSBub25jZWU="), 400, "bad_handshake"},
		{"key of 18 bytes", key("dGhlIHNhbXBsZSBub25jZWVl"), 400, "bad_handshake"},
		{"key that is no base64", key("????????????????????????"), 400, "bad_handshake"},
		{"key for addresses", key("dGhlIHNhbXBsZSBub25_-Q=="), 400, "bad_handshake"},
		{"key without the end", key("dGhlIHNhbXBsZSBub25jZQ"), 400, "bad_handshake"},
		{"key with a space", key("dGhlIHNhbXBs ZSBub25jZQ=="), 400, "bad_handshake"},
		{"key with a line within", key("dGhlIHNhbXBs\r\n ZSBub25jZQ=="), 400, "bad_handshake"},
		{"two keys", add("Sec-WebSocket-Key: " + ExampleKey), 400, "bad_handshake"},
		{"two keys in one line", key(ExampleKey + ", " + ExampleKey), 400, "bad_handshake"},
		{"a long key", key(strings.Repeat("A", 10_000)), 400, "bad_handshake"},
		// Sections 9 and 1.9, extensions and subprotocols: what is not known is not agreed on.
		{"permessage-deflate", add("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), 101, ""},
		{"extensions of nonsense", add("Sec-WebSocket-Extensions: ;;=,,x;y=\"z"), 101, ""},
		{"a thousand extensions", add("Sec-WebSocket-Extensions: x" + strings.Repeat(", x", 1000)), 101, ""},
		{"a subprotocol that nobody knows", add("Sec-WebSocket-Protocol: graphql-ws"), 101, ""},
		{"an empty subprotocol", add("Sec-WebSocket-Protocol:"), 101, ""},
		{"subprotocols of nonsense", add("Sec-WebSocket-Protocol: ,, ;/\\\"x, x,x"), 101, ""},
		{"a server's field", add("Sec-WebSocket-Accept: " + ExampleAccept), 101, ""},
		// HTTP.
		{"no Host", swap("Host: x\r\n", ""), 400, ""},
		{"two Hosts", add("Host: y"), 400, ""},
		{"a Host that is none", swap("Host: x", "Host: a b"), 400, ""},
		{"empty Host", swap("Host: x", "Host: "), 101, ""},
		{"a folded line", swap("Upgrade: websocket", "Upgrade:\r\n websocket"), 101, ""},
		{"a space before the colon", swap("Upgrade: websocket", "Upgrade : websocket"), 400, ""},
		{"a control character", add("X: a\x01b"), 400, ""},
		{"a NUL", add("X: a\x00b"), 400, ""},
		{"a bare CR", add("X: a\rb"), 400, ""},
		{"a name that is none", add("X[]: a"), 400, ""},
		{"a line without a colon", add("X"), 400, ""},
		{"lines that end in LF", strings.ReplaceAll(good, "\r\n", "\n"), 101, ""},
		{"the whole URL", swap(path, "http://x"+path), 101, ""},
		{"no path", swap(path, strings.TrimPrefix(path, "/")), 400, ""},
		{"an escape that is none", swap(path, path+"%zz"), 400, ""},
		{"nothing there", swap(path, "/nothing"), 404, "not_found"},
		{"a slash behind it", swap(path, path+"/"), 404, "not_found"},
		{"a query that is none", swap(path, path+"?a=%zz"), 400, "invalid_query"},
		{"chunks", swap("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, "bad_handshake"},
		{"a body", swap("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nhi"), 400, "bad_handshake"},
		{"two lengths", swap("\r\n\r\n", "\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\nhi"), 400, ""},
		{"Expect", add("Expect: 100-continue"), 101, ""},
		{"a long head", add("X: " + strings.Repeat("x", 8<<10)), 101, ""},
	}
}
