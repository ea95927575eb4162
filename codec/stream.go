package codec

import "strconv"

// What is sent over plain HTTP alone, and as JSON: as lines, each with its end, or as events of an event stream
// (HTML, "server-sent events"). JSON has no end of a line in it, so that a line is one frame, and an empty line the end of an event.

const (
	TypeGap   Type = "gap"
	TypeClose Type = "close"
)

// LinePing is a line that says that the server is there, and EventPing an event that does, of which no reader hears.
const (
	LinePing  = `{"type":"ping"}` + "\n"
	EventPing = ": ping" + EventEnd
)

// EventEnd is the end of each event.
const EventEnd = "\n\n"

// BeginEvent begins an event, whose frame is appended behind it, and then EventEnd:
//
//	id: k3f9q2-1042
//	event: message
//	data: {"type":"message",...}
//
// Whoever comes back says the id that he has seen last. One of an empty epoch leaves that as it was.
func BeginEvent(dst []byte, typ Type, id ID) []byte {
	if id.Epoch != "" {
		dst = append(id.Append(append(dst, "id: "...)), '\n')
	}
	dst = append(append(dst, "event: "...), typ...)
	return append(dst, "\ndata: "...)
}

// AppendRetry appends an event that nobody hears of, and which says after how many milliseconds to come back.
func AppendRetry(dst []byte, ms int64) []byte {
	dst = strconv.AppendInt(append(dst, "retry: "...), ms, 10)
	return append(dst, EventEnd...)
}

// Type returns the type of the frame that has x.
func (x *Message) Type() Type { return x.Kind.frame() }

// A Gap says that messages are missing.
type Gap struct {
	Since  *ID // behind which; nil leaves it out
	Oldest ID  // the oldest message in the buffer; left out while the buffer is empty
}

// AppendGap appends what stands where messages are missing:
//
//	{"type":"gap","since":"k3f9q2-17","oldest":"k3f9q2-43"}
func AppendGap(dst []byte, x *Gap) []byte {
	dst = append(dst, `{"type":"gap"`...)
	if x.Since != nil {
		dst = appendJSONID(append(dst, `,"since":`...), *x.Since)
	}
	if x.Oldest.Offset != 0 {
		dst = appendJSONID(append(dst, `,"oldest":`...), x.Oldest)
	}
	return append(dst, '}')
}

// A Close is the end of a stream, as a close frame is that of a WebSocket.
type Close struct {
	Code       uint16
	Reason     string
	RetryAfter int64 // milliseconds
}

// AppendClose appends the last frame of a stream:
//
//	{"type":"close","code":1012,"reason":"server is restarting: reconnect after a random time of up to 30 s","retry_after_ms":4211}
func AppendClose(dst []byte, x *Close) []byte {
	dst = append(dst, `{"type":"close","code":`...)
	dst = strconv.AppendUint(dst, uint64(x.Code), 10)
	dst = append(dst, `,"reason":`...)
	dst = appendJSONString(dst, x.Reason)
	dst = append(dst, `,"retry_after_ms":`...)
	dst = strconv.AppendInt(dst, x.RetryAfter, 10)
	return append(dst, '}')
}
