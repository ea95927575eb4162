package codec

import (
	"strconv"

	"github.com/tinylib/msgp/msgp"
)

// A Member is somebody in a room.
type Member struct {
	Username    string
	Verified    bool  // as Message.Verified
	Connections int   // open under this name, at least 1
	Since       int64 // when the first of them joined, as Message.Time
}

// A Room is a live room as the list of rooms shows it.
type Room struct {
	Name    string
	Members int // connections in the room
	ID      ID  // of its newest message, offset 0 if there never was one
}

// AppendPageHead begins the history of a room, the body of an HTTP answer:
//
//	{"room":"general","id":"k3f9q2-1042","oldest":"k3f9q2-43","recovered":true,"messages":[...]}
//
// Each message has the bytes of AppendMessage; "oldest" is left out if the offset
// of p.Oldest is 0. AppendPageMessages and AppendPageTail follow, so that nobody needs all
// messages at once. There are count of them; p.Messages does not matter.
func AppendPageHead(dst []byte, f Format, p *Page, count int) []byte {
	if f == MsgPack {
		return appendMsgPackHead(dst, p, count)
	}
	dst = append(dst, `{"room":`...)
	dst = appendJSONString(dst, p.Room)
	dst = append(dst, `,"id":`...)
	dst = appendJSONID(dst, p.Head)
	if p.Oldest.Offset != 0 {
		dst = append(dst, `,"oldest":`...)
		dst = appendJSONID(dst, p.Oldest)
	}
	dst = append(dst, `,"recovered":`...)
	dst = strconv.AppendBool(dst, p.Recovered)
	return append(dst, `,"messages":[`...)
}

// AppendPageMessages appends some messages of a page; first says that no others are before them.
func AppendPageMessages(dst []byte, f Format, first bool, messages []Message) []byte {
	for i := range messages {
		if f == JSON && (i > 0 || !first) {
			dst = append(dst, ',')
		}
		dst = AppendMessage(dst, f, &messages[i])
	}
	return dst
}

// AppendPageTail appends what comes after them.
func AppendPageTail(dst []byte, f Format) []byte {
	if f == MsgPack {
		return dst
	}
	return append(dst, ']', '}')
}

// appendMsgPackHead is written by hand where frames are generated, as the
// messages of a page would have to be copied into their wire type first.
func appendMsgPackHead(dst []byte, p *Page, count int) []byte {
	keys := uint32(4)
	if p.Oldest.Offset != 0 {
		keys++
	}
	dst = msgp.AppendMapHeader(dst, keys)
	dst = msgp.AppendString(dst, "room")
	dst = msgp.AppendString(dst, validText(p.Room))
	dst = msgp.AppendString(dst, "id")
	dst, _ = wireID(p.Head).MarshalMsg(dst)
	if p.Oldest.Offset != 0 {
		dst = msgp.AppendString(dst, "oldest")
		dst, _ = wireID(p.Oldest).MarshalMsg(dst)
	}
	dst = msgp.AppendString(dst, "recovered")
	dst = msgp.AppendBool(dst, p.Recovered)
	dst = msgp.AppendString(dst, "messages")
	return msgp.AppendArrayHeader(dst, uint32(count))
}

// EndList ends a list of members or of rooms.
const EndList = "]}"

// BeginMembers begins the list of who is in room, as JSON, which AppendMember goes on with, a comma between two of them, and EndList ends:
//
//	{"room":"general","members":[{"username":"Alice","verified":true,"connections":1,"since":"2026-11-22T12:00:00.123Z"}]}
func BeginMembers(dst []byte, room string) []byte {
	dst = appendJSONString(append(dst, `{"room":`...), room)
	return append(dst, `,"members":[`...)
}

// AppendMember appends one of them.
func AppendMember(dst []byte, m *Member) []byte {
	dst = append(dst, `{"username":`...)
	dst = appendJSONName(dst, m.Username, m.Verified)
	dst = append(dst, `,"connections":`...)
	dst = strconv.AppendInt(dst, int64(m.Connections), 10)
	dst = append(dst, `,"since":`...)
	dst = appendJSONTime(dst, m.Since)
	return append(dst, '}')
}

// BeginRooms begins the list of live rooms, as JSON, which AppendRoom goes on with, a comma between two of them, and EndList ends:
//
//	{"rooms":[{"room":"general","members":2,"id":"k3f9q2-1042"}]}
const BeginRooms = `{"rooms":[`

// AppendRoom appends one of them.
func AppendRoom(dst []byte, r *Room) []byte {
	dst = append(dst, `{"room":`...)
	dst = appendJSONString(dst, r.Name)
	dst = append(dst, `,"members":`...)
	dst = strconv.AppendInt(dst, int64(r.Members), 10)
	dst = append(dst, `,"id":`...)
	dst = appendJSONID(dst, r.ID)
	return append(dst, '}')
}

// AppendRooms appends the whole list.
func AppendRooms(dst []byte, rooms []Room) []byte {
	dst = append(dst, BeginRooms...)
	for i := range rooms {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendRoom(dst, &rooms[i])
	}
	return append(dst, EndList...)
}
