package hostile

import (
	"fmt"
	"strings"
	"time"
)

// A mobKind is what a mobster does: it says hello, waits for the answer if it takes one to be let in, and sends more each
// time that every has passed.
type mobKind struct {
	hello  func(o *mobster) string
	answer string
	more   func(o *mobster, n int) []byte
	every  time.Duration
	deaf   bool // it never reads
}

const (
	letIn     = "HTTP/1.1 101 "
	postHead  = "POST /chat/room/%s/messages?username=mallory HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
	forAWhile = 100 * time.Millisecond
)

// room is that of its address, in which it is together with others of the mob.
func (o *mobster) room() string { return "mob-" + o.from }

func enter(o *mobster) string { return Handshake(o.room(), "username=mallory") }

func enterMany(*mobster) string {
	return strings.Replace(Handshake("x", ""), "/chat/room/x?", "/chat", 1)
}

func nothing(*mobster, int) []byte { return nil }

// always sends the same, and if it is not a flood waits for a while.
func always(b []byte) func(*mobster, int) []byte { return func(*mobster, int) []byte { return b } }

// flooding is without a pause: each time as much as a kernel takes.
func flooding(of string) mobKind {
	return mobKind{hello: enter, answer: letIn, more: always(flood(of)), every: time.Millisecond}
}

func once(s string) func(*mobster) string { return func(*mobster) string { return s } }

// join is a frame for GET /chat.
func join(room string) []byte { return Frame(nil, 0x81, `{"type":"join","room":"`+room+`"}`) }

// mobs are the kinds of them.
var mobs = map[string]mobKind{
	"silent":         {hello: once(""), more: nothing, every: forAWhile},
	"half a head":    {hello: once(Handshake("mob", "")[:60]), more: nothing, every: forAWhile},
	"a slow head":    {hello: once("GET / HTTP/1.1\r\n"), more: always([]byte("X: y\r\n")), every: time.Second},
	"half a body":    {hello: func(o *mobster) string { return fmt.Sprintf(postHead, o.room(), 100, "x") }, more: nothing, every: forAWhile},
	"half a frame":   {hello: enter, answer: letIn, more: always([]byte("\x81")), every: time.Minute},
	"fragments":      flooding("fragments"),
	"typing":         flooding("typing"),
	"pings":          flooding("pings"),
	"pongs":          flooding("pongs"),
	"invalid frames": flooding("invalid"),
	"joins": {hello: enterMany, answer: letIn, every: 20 * time.Millisecond, more: func(o *mobster, n int) []byte {
		return append(join(o.room()), Frame(nil, 0x81, `{"type":"leave","room":"`+o.room()+`"}`)...)
	}},
	"new rooms": {hello: enterMany, answer: letIn, every: 50 * time.Millisecond, more: func(o *mobster, n int) []byte {
		return join(fmt.Sprintf("new-%d-%d-%d", o.n, o.Let, n))
	}},
	"many rooms": {hello: enterMany, answer: letIn, every: time.Second, more: func(o *mobster, n int) []byte {
		return join(fmt.Sprintf("many-%d", n%40))
	}},
	"messages": {hello: enter, answer: letIn, every: 50 * time.Millisecond, more: always(Frame(nil, 0x81, `{"type":"message","content":"`+strings.Repeat("x", 4000)+`"}`))},
	"bytes":    {hello: enter, answer: letIn, every: 50 * time.Millisecond, more: always(Frame(nil, 0x81, `{"type":"typing","x":"`+strings.Repeat("x", 20_000)+`"}`))},
	"never reads": {hello: func(o *mobster) string { return Handshake(o.room(), "username=mallory&since=all") }, answer: letIn,
		more: nothing, every: forAWhile, deaf: true},
	"posts": {hello: once(""), every: 20 * time.Millisecond, more: func(o *mobster, n int) []byte {
		return fmt.Appendf(nil, postHead, o.room(), 5, "hello")
	}},
	"posts elsewhere": {hello: once(""), every: 20 * time.Millisecond, more: func(o *mobster, n int) []byte {
		return fmt.Appendf(nil, postHead, fmt.Sprintf("post-%d-%d", o.n, n), 5, "hello")
	}},
	"unread history": {hello: func(o *mobster) string { return "GET /chat/room/" + o.room() + "/messages HTTP/1.1\r\nHost: x\r\n\r\n" },
		more: nothing, every: forAWhile, deaf: true},
	"bad tokens": {hello: once(""), every: 20 * time.Millisecond, more: func(o *mobster, n int) []byte {
		return fmt.Appendf(nil, "GET /chat/rooms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer edc_%d_%d\r\n\r\n", o.n, n)
	}},
}
