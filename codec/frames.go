package codec

import (
	"strconv"
	"unicode/utf8"
)

// The functions of this file append one frame from the server to dst and return
// the longer slice. They never fail, keep nothing and allocate nothing but a longer
// dst, and in MessagePack a copy of text that is not valid UTF-8: that is sent with
// U+FFFD for each bad byte, as a browser drops the connection that brings it any. Both
// formats have the same keys in the same order, and leave out the same ones.

// AppendMessage appends a stored message, the same bytes wherever it is sent:
//
//	{"type":"message","username":"Alice","content":"hi","timestamp":"2026-11-22T12:00:00.123Z","id":"k3f9q2-1042","offset":1042}
func AppendMessage(dst []byte, f Format, x *Message) []byte {
	if f == MsgPack {
		w := wireMessage{
			Type: string(TypeMessage), Username: validText(x.Username), Content: validText(x.Content),
			Time: x.Time, ID: wireID(x.ID), Offset: x.ID.Offset,
		}
		dst, _ = w.MarshalMsg(dst) // fails for no value of these types
		return dst
	}
	dst = append(dst, `{"type":"message","username":`...)
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

// AppendEvent appends what is not stored:
//
//	{"type":"typing","username":"Alice","timestamp":"2026-11-22T12:00:00.123Z"}
func AppendEvent(dst []byte, f Format, x *Event) []byte {
	if f == MsgPack {
		w := wireEvent{Type: string(x.Type), Username: validText(x.Username), Time: x.Time}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = append(dst, `{"type":`...)
	dst = appendJSONString(dst, string(x.Type))
	dst = append(dst, `,"username":`...)
	dst = appendJSONString(dst, x.Username)
	dst = append(dst, `,"timestamp":`...)
	dst = appendJSONTime(dst, x.Time)
	return append(dst, '}')
}

// AppendSubscribed appends the first frame of a connection, in one line:
//
//	{"type":"subscribed","room":"general","id":"k3f9q2-1042","offset":1042,"oldest":"k3f9q2-43",
//	"was_recovering":true,"recovered":true,"username":"Alice","members":2,
//	"max_content_bytes":4096,"ping_interval_ms":25000}
//
// "oldest" is left out if the offset of x.Oldest is 0.
func AppendSubscribed(dst []byte, f Format, x *Subscribed) []byte {
	if f == MsgPack {
		w := wireSubscribed{
			Type: string(TypeSubscribed), Room: validText(x.Room), ID: wireID(x.Head), Offset: x.Head.Offset,
			WasRecovering: x.WasRecovering, Recovered: x.Recovered, Username: validText(x.Username),
			Members: x.Members, MaxContent: x.MaxContent, PingInterval: x.PingInterval,
		}
		if x.Oldest.Offset != 0 {
			w.Oldest = wireID(x.Oldest)
		}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = append(dst, `{"type":"subscribed","room":`...)
	dst = appendJSONString(dst, x.Room)
	dst = append(dst, `,"id":`...)
	dst = appendJSONID(dst, x.Head)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendUint(dst, x.Head.Offset, 10)
	if x.Oldest.Offset != 0 {
		dst = append(dst, `,"oldest":`...)
		dst = appendJSONID(dst, x.Oldest)
	}
	dst = append(dst, `,"was_recovering":`...)
	dst = strconv.AppendBool(dst, x.WasRecovering)
	dst = append(dst, `,"recovered":`...)
	dst = strconv.AppendBool(dst, x.Recovered)
	dst = append(dst, `,"username":`...)
	dst = appendJSONString(dst, x.Username)
	dst = append(dst, `,"members":`...)
	dst = strconv.AppendInt(dst, int64(x.Members), 10)
	dst = append(dst, `,"max_content_bytes":`...)
	dst = strconv.AppendInt(dst, int64(x.MaxContent), 10)
	dst = append(dst, `,"ping_interval_ms":`...)
	dst = strconv.AppendInt(dst, int64(x.PingInterval), 10)
	return append(dst, '}')
}

// AppendAck appends the answer to a message that had a key:
//
//	{"type":"ack","idempotency_key":"c-17","id":"k3f9q2-1043","offset":1043,"durable":true}
func AppendAck(dst []byte, f Format, x *Ack) []byte {
	if f == MsgPack {
		w := wireAck{
			Type: string(TypeAck), Key: validText(x.Key),
			ID: wireID(x.ID), Offset: x.ID.Offset, Durable: x.Durable,
		}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = append(dst, `{"type":"ack","idempotency_key":`...)
	dst = appendJSONString(dst, x.Key)
	dst = append(dst, `,"id":`...)
	dst = appendJSONID(dst, x.ID)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendUint(dst, x.ID.Offset, 10)
	dst = append(dst, `,"durable":`...)
	dst = strconv.AppendBool(dst, x.Durable)
	return append(dst, '}')
}

// AppendError appends a refusal:
//
//	{"type":"error","code":"invalid_message","message":"content is longer than 4096 bytes","idempotency_key":"c-18"}
//
// "idempotency_key" is left out if x.Key is empty.
func AppendError(dst []byte, f Format, x *Error) []byte {
	if f == MsgPack {
		w := wireError{
			Type: string(TypeError), Code: validText(string(x.Code)),
			Message: validText(x.Message), Key: validText(x.Key),
		}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = append(dst, `{"type":"error","code":`...)
	dst = appendJSONString(dst, string(x.Code))
	dst = append(dst, `,"message":`...)
	dst = appendJSONString(dst, x.Message)
	if x.Key != "" {
		dst = append(dst, `,"idempotency_key":`...)
		dst = appendJSONString(dst, x.Key)
	}
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
