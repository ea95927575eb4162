package chat

import (
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/ws"
)

// What members of a room are written, by the index of Formats.
const (
	// The first four are WebSocket's, by hubFormat.
	formatEvents = iota + 4
	formatLines
)

// Formats are the hub's formats: a message in a frame of WebSocket, as an event of an event stream, as a line.
func Formats() []hub.Format {
	var formats []hub.Format
	for _, named := range []bool{false, true} {
		for _, f := range []codec.Format{codec.JSON, codec.MsgPack} {
			formats = append(formats, format(f, named))
		}
	}
	return append(formats, eventFormat(), lineFormat())
}

// hubFormat is where in Formats the format of a member is, whose frames name their room or not.
func hubFormat(f codec.Format, named bool) int {
	if named {
		return int(f) + 2
	}
	return int(f)
}

func format(f codec.Format, named bool) hub.Format {
	binary := f == codec.MsgPack
	name := func(room string) string {
		if named {
			return room
		}
		return ""
	}
	return hub.Format{
		Message: func(dst []byte, room string, m *codec.Message) []byte {
			start := len(dst)
			return ws.EndFrame(codec.AppendMessageIn(ws.BeginFrame(dst), f, name(room), m), start, binary)
		},
		Event: func(dst []byte, room string, e *codec.Event) []byte {
			start := len(dst)
			return ws.EndFrame(codec.AppendEvent(ws.BeginFrame(dst), f, name(room), e), start, binary)
		},
	}
}

func eventFormat() hub.Format {
	return hub.Format{
		Message: func(dst []byte, _ string, m *codec.Message) []byte {
			return append(codec.AppendMessage(codec.BeginEvent(dst, m.Type(), m.ID), codec.JSON, m), codec.EventEnd...)
		},
		Event: func(dst []byte, _ string, e *codec.Event) []byte {
			return append(codec.AppendEvent(codec.BeginEvent(dst, e.Type, codec.ID{}), codec.JSON, "", e), codec.EventEnd...)
		},
	}
}

func lineFormat() hub.Format {
	return hub.Format{
		Message: func(dst []byte, _ string, m *codec.Message) []byte {
			return append(codec.AppendMessage(dst, codec.JSON, m), '\n')
		},
		Event: func(dst []byte, _ string, e *codec.Event) []byte {
			return append(codec.AppendEvent(dst, codec.JSON, "", e), '\n')
		},
	}
}
