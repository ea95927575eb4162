package codec

import (
	"strconv"
	"unicode/utf8"
)

// The functions of this file and of control.go append one frame from the server to dst and return
// the longer slice. They never fail, keep nothing and allocate nothing but a longer
// dst, and in MessagePack a copy of text that is not valid UTF-8: that is sent with
// U+FFFD for each bad byte, as a browser drops the connection that brings it any. Both
// formats have the same keys in the same order, and leave out the same ones.

// AppendMessage appends a stored message, the same bytes wherever it is sent:
//
//	{"type":"message","username":"Alice","content":"hi","timestamp":"2026-11-22T12:00:00.123Z","id":"k3f9q2-1042","offset":1042}
func AppendMessage(dst []byte, f Format, x *Message) []byte { return AppendMessageIn(dst, f, "", x) }

// AppendMessageIn is AppendMessage with the name of the room, unless that is empty, for a connection
// that is in several:
//
//	{"type":"message","room":"general","username":"Alice",...}
func AppendMessageIn(dst []byte, f Format, room string, x *Message) []byte {
	if f == MsgPack {
		w := wireMessage{
			Type: string(TypeMessage), Room: validText(room), Username: validText(x.Username), Content: validText(x.Content),
			Time: x.Time, ID: wireID(x.ID), Offset: x.ID.Offset,
		}
		dst, _ = w.MarshalMsg(dst) // fails for no value of these types
		return dst
	}
	dst = appendJSONRoom(append(dst, `{"type":"message"`...), room)
	dst = append(dst, `,"username":`...)
	dst = appendJSONString(dst, x.Username)
	dst = append(dst, `,"content":`...)
	dst = appendJSONString(dst, x.Content)
	dst = append(dst, `,"timestamp":`...)
	dst = appendJSONTime(dst, x.Time)
	dst = append(dst, `,"id":`...)
	dst = appendJSONID(dst, x.ID)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendUint(dst, x.ID.Offset, 10)
	return append(dst, '}')
}

// appendJSONRoom appends the name of a room behind the type, unless it is empty.
func appendJSONRoom(dst []byte, room string) []byte {
	if room == "" {
		return dst
	}
	return appendJSONString(append(dst, `,"room":`...), room)
}

// AppendEvent appends what is not stored:
//
//	{"type":"typing","username":"Alice","timestamp":"2026-11-22T12:00:00.123Z"}
//
// A room that is not empty stands behind the type, as in AppendMessageIn.
func AppendEvent(dst []byte, f Format, room string, x *Event) []byte {
	if f == MsgPack {
		w := wireEvent{Type: string(x.Type), Room: validText(room), Username: validText(x.Username), Time: x.Time}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = append(dst, `{"type":`...)
	dst = appendJSONRoom(appendJSONString(dst, string(x.Type)), room)
	dst = append(dst, `,"username":`...)
	dst = appendJSONString(dst, x.Username)
	dst = append(dst, `,"timestamp":`...)
	dst = appendJSONTime(dst, x.Time)
	return append(dst, '}')
}

// validText returns s, with U+FFFD for each byte that is no UTF-8: what
// appendJSONString does, for MessagePack, whose str is UTF-8 as well.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
