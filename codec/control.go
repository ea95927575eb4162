package codec

import "strconv"

// AppendSubscribed appends the first frame of a room, in one line:
//
//	{"type":"subscribed","room":"general","id":"k3f9q2-1042","offset":1042,"oldest":"k3f9q2-43",
//	"was_recovering":true,"recovered":true,"username":"Alice","verified":true,"access":"write","members":2,
//	"max_content_bytes":4096,"ping_interval_ms":25000}
//
// "oldest" is left out if the offset of x.Oldest is 0. "refused" comes behind "access" unless x.Refused is empty, and "nodes", a list of texts, at
// the end unless x.Nodes is.
func AppendSubscribed(dst []byte, f Format, x *Subscribed) []byte {
	if f == MsgPack {
		w := wireSubscribed{
			Type: string(TypeSubscribed), Room: validText(x.Room), ID: wireID(x.Head), Offset: x.Head.Offset,
			WasRecovering: x.WasRecovering, Recovered: x.Recovered, Username: validText(x.Username), Verified: x.Verified,
			Access: x.Access, Refused: x.Refused, Members: x.Members, MaxContent: x.MaxContent, PingInterval: x.PingInterval,
			Nodes: x.Nodes,
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
	dst = appendJSONName(dst, x.Username, x.Verified)
	dst = append(dst, `,"access":`...)
	dst = appendJSONString(dst, x.Access)
	if x.Refused != "" {
		dst = appendJSONString(append(dst, `,"refused":`...), x.Refused)
	}
	dst = append(dst, `,"members":`...)
	dst = strconv.AppendInt(dst, int64(x.Members), 10)
	dst = append(dst, `,"max_content_bytes":`...)
	dst = strconv.AppendInt(dst, int64(x.MaxContent), 10)
	dst = append(dst, `,"ping_interval_ms":`...)
	dst = strconv.AppendInt(dst, int64(x.PingInterval), 10)
	return append(appendJSONNodes(dst, x.Nodes), '}')
}

// AppendUnsubscribed appends the last frame of a room:
//
//	{"type":"unsubscribed","room":"general"}
func AppendUnsubscribed(dst []byte, f Format, room string) []byte {
	if f == MsgPack {
		w := wireUnsubscribed{Type: string(TypeUnsubscribed), Room: validText(room)}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	return append(appendJSONRoom(append(dst, `{"type":"unsubscribed"`...), room), '}')
}

// AppendWelcome appends the first frame of a connection that may be in several rooms:
//
//	{"type":"welcome","username":"Alice","verified":false,"max_content_bytes":4096,"max_rooms":32,"ping_interval_ms":25000}
//
// "max_rooms" is left out if x.MaxRooms is 0. "nodes" is as in AppendSubscribed.
func AppendWelcome(dst []byte, f Format, x *Welcome) []byte {
	if f == MsgPack {
		w := wireWelcome{
			Type: string(TypeWelcome), Username: validText(x.Username), Verified: x.Verified,
			MaxContent: x.MaxContent, MaxRooms: x.MaxRooms, PingInterval: x.PingInterval, Nodes: x.Nodes,
		}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = append(dst, `{"type":"welcome","username":`...)
	dst = appendJSONString(dst, x.Username)
	dst = append(dst, `,"verified":`...)
	dst = strconv.AppendBool(dst, x.Verified)
	dst = append(dst, `,"max_content_bytes":`...)
	dst = strconv.AppendInt(dst, int64(x.MaxContent), 10)
	if x.MaxRooms != 0 {
		dst = append(dst, `,"max_rooms":`...)
		dst = strconv.AppendInt(dst, int64(x.MaxRooms), 10)
	}
	dst = append(dst, `,"ping_interval_ms":`...)
	dst = strconv.AppendInt(dst, int64(x.PingInterval), 10)
	return append(appendJSONNodes(dst, x.Nodes), '}')
}

// appendJSONNodes appends the addresses of other servers, if there are any.
func appendJSONNodes(dst []byte, nodes []string) []byte {
	for i, address := range nodes {
		if i == 0 {
			dst = append(dst, `,"nodes":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, address)
	}
	if len(nodes) > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// AppendPong appends the answer to a ping:
//
//	{"type":"pong"}
func AppendPong(dst []byte, f Format) []byte {
	if f == MsgPack {
		w := wirePong{Type: string(TypePong)}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	return append(dst, `{"type":"pong"}`...)
}

// AppendAck appends the answer to a message that had a key:
//
//	{"type":"ack","idempotency_key":"c-17","id":"k3f9q2-1043","offset":1043,"durable":true}
//
// "room" comes behind the type unless x.Room is empty.
func AppendAck(dst []byte, f Format, x *Ack) []byte {
	if f == MsgPack {
		w := wireAck{
			Type: string(TypeAck), Room: validText(x.Room), Key: validText(x.Key),
			ID: wireID(x.ID), Offset: x.ID.Offset, Durable: x.Durable,
		}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = appendJSONRoom(append(dst, `{"type":"ack"`...), x.Room)
	dst = append(dst, `,"idempotency_key":`...)
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
// "room", which comes behind the type, "retry_after_ms", which comes behind the message, and "idempotency_key" are left
// out if they are empty.
func AppendError(dst []byte, f Format, x *Error) []byte {
	if f == MsgPack {
		w := wireError{
			Type: string(TypeError), Room: validText(x.Room), Code: validText(string(x.Code)),
			Message: validText(x.Message), Wait: x.retryAfter(), Key: validText(x.Key),
		}
		dst, _ = w.MarshalMsg(dst)
		return dst
	}
	dst = appendJSONRoom(append(dst, `{"type":"error"`...), x.Room)
	dst = append(dst, `,"code":`...)
	dst = appendJSONString(dst, string(x.Code))
	dst = append(dst, `,"message":`...)
	dst = appendJSONString(dst, x.Message)
	if ms := x.retryAfter(); ms > 0 {
		dst = append(dst, `,"retry_after_ms":`...)
		dst = strconv.AppendInt(dst, ms, 10)
	}
	if x.Key != "" {
		dst = append(dst, `,"idempotency_key":`...)
		dst = appendJSONString(dst, x.Key)
	}
	return append(dst, '}')
}
