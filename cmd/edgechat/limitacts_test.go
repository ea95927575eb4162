package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"edgechat/internal/edgetest"
)

// What a client does that is limited. Each returns "" if it was let, or what it was told.

func handshake(path string) string {
	u, _ := url.Parse("ws://localhost" + path)
	return edgetest.Handshake(u, from, "Sec-WebSocket-Protocol: edgechat.v1.json")
}

// holdSocket is one more WebSocket.
func holdSocket(h *limited) string {
	_, r := h.send(handshake("/chat/room/den"))
	return h.answer(r)
}

// join is one more that is over at once.
func join(h *limited) string {
	told := holdSocket(h)
	if told == "" {
		hangUp(h)
	}
	return told
}

// holdIdle is a connection that is kept for a next request.
func holdIdle(h *limited) string {
	_, r := h.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	return h.answer(r)
}

// holdBody is a request that has sent half of its body.
func holdBody(h *limited) string {
	_, r := h.send("POST /chat/room/den/messages HTTP/1.1\r\nHost: localhost\r\n" + from + "\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
	return h.answer(r) // 100 once it is read from
}

// holdHistory is a history that is not read to its end.
func holdHistory(h *limited) string {
	if h.one == nil {
		h.fill()
	}
	c, r := h.send("")
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	_, _ = io.WriteString(c, "GET /chat/room/full/messages?limit=400 HTTP/1.1\r\nHost: localhost\r\n"+from+"\r\n\r\n")
	return h.answer(r)
}

// holdStream reads what comes, and nothing does.
func holdStream(h *limited) string {
	_, r := h.send("GET /chat/room/den/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	return h.answer(r)
}

// fill says more than the buffers of kernels hold.
func (h *limited) fill() {
	h.one = edgetest.Dial(h.t, h.url+"/chat/room/full", "Sec-WebSocket-Protocol: edgechat.v1.json")
	go func() { // what comes back is read below
		for i := range 400 {
			_, _ = h.one.Conn.Write(edgetest.Frame(edgetest.OpText, fmt.Appendf(nil, `{"type":"message","content":%q,"idempotency_key":"%d"}`, strings.Repeat("x", 4000), i)))
		}
	}()
	for range 400 {
		h.one.JSONOf("ack")
	}
}

// postAnew says something in a room that is new.
func postAnew(h *limited) string {
	h.n++
	_, r := h.send(fmt.Sprintf("POST /chat/room/new-%d/messages HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: 2\r\n\r\nhi", h.n, from))
	told := h.answer(r)
	if told == "" {
		hangUp(h)
	}
	return told
}

// guess shows a token that is none.
func guess(h *limited) string {
	_, r := h.send("GET /chat/rooms HTTP/1.1\r\nHost: localhost\r\n" + from + "\r\nAuthorization: Bearer edc_wrong\r\n\r\n")
	told := h.answer(r)
	if told == "" {
		hangUp(h)
	}
	return told
}

// readRooms asks for the list of rooms.
func readRooms(h *limited) string {
	_, r := h.send("GET /chat/rooms HTTP/1.1\r\nHost: localhost\r\n" + from + "\r\n\r\n")
	told := h.answer(r)
	if told == "" {
		hangUp(h)
	}
	return told
}

func (h *limited) connect(path string) *edgetest.Client {
	if h.one == nil {
		h.one = edgetest.Dial(h.t, h.url+path, "Sec-WebSocket-Protocol: edgechat.v1.json")
	}
	return h.one
}

// comeBack ends the connection: the next one begins anew.
func comeBack(h *limited) {
	_ = h.one.Conn.Close()
	h.one = nil
}

// sayAs says something of so many bytes, and has it acknowledged.
func sayAs(size int) func(h *limited) string {
	return func(h *limited) string {
		c := h.connect("/chat/room/den")
		h.n++
		c.Text(fmt.Sprintf(`{"type":"message","content":%q,"idempotency_key":"%d"}`, strings.Repeat("x", size), h.n))
		for {
			switch m := c.JSON(); m["type"] {
			case "ack":
				return ""
			case "error":
				if ms, _ := m["retry_after_ms"].(float64); ms <= 0 {
					h.t.Errorf("%v", m)
				}
				return fmt.Sprint(m["code"], " ", m["message"])
			}
		}
	}
}

// over reads until this opcode, or the close frame.
func (h *limited) over(c *edgetest.Client, opcode byte) string {
	for {
		op, p, err := c.Read()
		switch {
		case err != nil:
			h.t.Fatal(err)
		case op == edgetest.OpClose && len(p) > 2:
			return fmt.Sprint(int(p[0])<<8|int(p[1]), " ", string(p[2:]))
		case op == opcode:
			return ""
		}
	}
}

// ping is a frame that is answered.
func ping(h *limited) string {
	c := h.connect("/chat/room/den")
	c.Raw(edgetest.Frame(edgetest.OpPing, nil))
	return h.over(c, edgetest.OpPong)
}

// nonsense is a frame that is not valid.
func nonsense(h *limited) string {
	c := h.connect("/chat")
	c.Text("?")
	c.Raw(edgetest.Frame(edgetest.OpPing, nil)) // which is no message, and is answered unless it is closed
	return h.over(c, edgetest.OpPong)
}

// joinOne joins one more room on one connection, and leaveOne leaves that.
func joinOne(h *limited) string {
	c := h.connect("/chat")
	h.n++
	c.Text(fmt.Sprintf(`{"type":"join","room":"r%d"}`, h.n))
	for {
		switch m := c.JSON(); m["type"] {
		case "subscribed":
			return ""
		case "error":
			return fmt.Sprint(m["code"], " ", m["message"])
		}
	}
}

func leaveOne(h *limited) {
	h.one.Text(`{"type":"leave","room":"r1"}`)
	h.one.JSONOf("unsubscribed")
}
