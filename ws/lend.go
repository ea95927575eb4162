package ws

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// crypto/tls keeps, for as long as a connection lives, a buffer as large as the largest record that it has read, and
// one as large as the largest message of its handshake: 2 to 18 KB of a connection that is silent. On a loop connections have them only while
// they read, and what they read records into is the loop's, which has one for all of them (TestTLSMemory).
//
// Both are fields that are not exported. In a Go that has none of that name and type connections keep their own, and the test says so.
var rawInput, hand = fieldOf("rawInput"), fieldOf("hand")

// fieldOf returns where a tls.Conn has a buffer of that name, 0 if it has none.
func fieldOf(name string) uintptr {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[bytes.Buffer]() {
		return 0
	}
	return f.Offset
}

func bufferOf(c *tls.Conn, field uintptr) *bytes.Buffer {
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), field))
}

// borrow has records be read into the loop's buffer, if none is under way. Who reads calls it, and giveBack behind that.
func (u *underTLS) borrow(loops *bytes.Buffer) {
	if raw := bufferOf(u.tls, rawInput); rawInput != 0 && raw.Cap() == 0 {
		*raw, *loops = *loops, bytes.Buffer{}
	}
}

// giveBack has the loop have the buffer, if it is empty.
func (u *underTLS) giveBack(loops *bytes.Buffer) {
	if raw := bufferOf(u.tls, rawInput); rawInput != 0 && raw.Len() == 0 {
		if raw.Reset(); raw.Cap() > loops.Cap() {
			*loops = *raw
		}
		*raw = bytes.Buffer{}
	}
	if shaken := bufferOf(u.tls, hand); hand != 0 && shaken.Len() == 0 {
		*shaken = bytes.Buffer{}
	}
}
