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

// AppendMessage appends a stored message, the same bytes wherever it is sent while nobody changes it:
//
//	{"type":"message","username":"Alice","content":"hi","timestamp":"2026-11-22T12:00:00.123Z","id":"k3f9q2-1042","offset":1042}
//
// If the name is verified, "verified":true comes behind it, as in all frames that have a name. If it was edited, "edited":true comes last. If it was deleted there is no "content", and "deleted":true
// comes last. Revisions are
//
//	{"type":"edited","username":"Alice","target":"k3f9q2-1042","content":"ho","timestamp":"...","id":"k3f9q2-1050","offset":1050}
//	{"type":"deleted","username":"Mod","target":"k3f9q2-1042","timestamp":"...","id":"k3f9q2-1051","offset":1051}
//
// and an edit of what was deleted since has "deleted":true in place of its content.
func AppendMessage(dst []byte, f Format, x *Message) []byte { return AppendMessageIn(dst, f, "", x) }

// AppendMessageIn is AppendMessage with the name of the room, unless that is empty, for a connection
// that is in several:
//
//	{"type":"message","room":"general","username":"Alice",...}
func AppendMessageIn(dst []byte, f Format, room string, x *Message) []byte {
	if f == MsgPack {
		return appendMsgPackMessage(dst, room, x)
	}
	switch x.Kind {
	case Edit:
		dst = append(dst, `{"type":"edited"`...)
	case Deletion:
		dst = append(dst, `{"type":"deleted"`...)
	default:
		dst = append(dst, `{"type":"message"`...)
	}
	dst = appendJSONRoom(dst, room)
	dst = append(dst, `,"username":`...)
	dst = appendJSONName(dst, x.Username, x.Verified)
	if x.Kind != Said {
		dst = append(dst, `,"target":`...)
		dst = appendJSONID(dst, x.Target)
	}
	if !x.Deleted && x.Kind != Deletion {
		dst = append(dst, `,"content":`...)
		dst = appendJSONString(dst, x.Content)
	}
	dst = append(dst, `,"timestamp":`...)
	dst = appendJSONTime(dst, x.Time)
	dst = append(dst, `,"id":`...)
	dst = appendJSONID(dst, x.ID)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendUint(dst, x.ID.Offset, 10)
	switch {
	case x.Deleted && x.Kind != Deletion:
		dst = append(dst, `,"deleted":true`...)
	case x.Edited && x.Kind == Said:
		dst = append(dst, `,"edited":true`...)
	}
	return append(dst, '}')
}

func appendMsgPackMessage(dst []byte, room string, x *Message) []byte {
	switch {
	case x.Deleted || x.Kind == Deletion:
		w := wireRemoved{
			Type: string(x.Kind.frame()), Room: validText(room), Username: validText(x.Username), Verified: x.Verified,
			Time: x.Time, ID: wireID(x.ID), Offset: x.ID.Offset, Deleted: x.Kind != Deletion,
		}
		if x.Kind != Said {
			w.Target = wireID(x.Target)
		}
		dst, _ = w.MarshalMsg(dst) // fails for no value of these types
	case x.Kind == Edit:
		w := wireEdited{
			Type: string(TypeEdited), Room: validText(room), Username: validText(x.Username), Verified: x.Verified,
			Target: wireID(x.Target), Content: validText(x.Content), Time: x.Time, ID: wireID(x.ID), Offset: x.ID.Offset,
		}
		dst, _ = w.MarshalMsg(dst)
	default:
		w := wireMessage{
			Type: string(TypeMessage), Room: validText(room), Username: validText(x.Username), Verified: x.Verified,
			Content: validText(x.Content), Time: x.Time, ID: wireID(x.ID), Offset: x.ID.Offset, Edited: x.Edited,
		}
		dst, _ = w.MarshalMsg(dst)
	}
	return dst
}

// appendJSONName appends a name behind its key, and that it is verified if it is.
func appendJSONName(dst []byte, name string, verified bool) []byte {
	dst = appendJSONString(dst, name)
	if verified {
		dst = append(dst, `,"verified":true`...)
	}
	return dst
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
		w := wireEvent{Type: string(x.Type), Room: validText(room), Username: validText(x.Username), Verified: x.Verified, Time: x.Time}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = append(dst, `{"type":`...)
	dst = appendJSONRoom(appendJSONString(dst, string(x.Type)), room)
	dst = append(dst, `,"username":`...)
	dst = appendJSONName(dst, x.Username, x.Verified)
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
