package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"

	"github.com/tinylib/msgp/msgp"
)

// maxFrame is what the shipped server takes in one message, in bytes: docs/protocol.md section 3, and six bytes for each of its content.
const maxFrame = 6*4096 + 1024

// A format is how a client speaks.
type format struct {
	name, protocol string
	first          byte // of a frame
}

var formats = []format{{"JSON", "edgechat.v1.json", 0x81}, {"MessagePack", "edgechat.v1.msgpack", 0x82}}

// encode makes the payload of a frame of texts: name, value, ...
func (f *format) encode(pairs ...string) string {
	if f.first == 0x81 {
		fields := make([]string, 0, len(pairs)/2)
		for i := 0; i < len(pairs); i += 2 {
			name, _ := json.Marshal(pairs[i]) // texts never fail
			value, _ := json.Marshal(pairs[i+1])
			fields = append(fields, string(name)+":"+string(value))
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	b := msgp.AppendMapHeader(nil, uint32(len(pairs)/2))
	for _, text := range pairs {
		b = msgp.AppendString(b, text)
	}
	return string(b)
}

// frame makes a whole frame of it.
func (f *format) frame(payload string) string {
	return string(edgetest.FrameBits(f.first, []byte(payload)))
}

func (f *format) text(pairs ...string) string { return f.frame(f.encode(pairs...)) }

func (f *format) decode(t *testing.T, payload []byte) map[string]any {
	t.Helper()
	m := map[string]any{}
	var err error
	if f.first == 0x81 {
		err = json.Unmarshal(payload, &m)
	} else {
		m, _, err = msgp.ReadMapStrIntfBytes(payload, nil)
	}
	if err != nil {
		t.Fatalf("%q: %v", payload, err)
	}
	return m
}

// enter connects to path in this format.
func (f *format) enter(t *testing.T, addr, path string) *edgetest.Client {
	t.Helper()
	c := edgetest.Dial(t, "ws://"+addr+path, "Sec-WebSocket-Protocol: "+f.protocol)
	c.Timeout = patience
	return c
}

// converse sends bytes, and behind them something that is answered, and says what came of that: the types of what the client
// was sent, or the codes of errors, and "+" if it went on to the answer; or the close code and its reason.
func (f *format) converse(t *testing.T, addr, path, bytes string) string {
	t.Helper()
	c := f.enter(t, addr, path)
	defer c.Conn.Close()
	last := f.text("type", "message", "content", "goes on")
	if path == "/chat" {
		last = f.text("type", "leave", "room", "goes.on")
	}
	go func() { _, _ = c.Conn.Write([]byte(bytes + last)) }() // which fails where it is closed before
	var came []string
	for {
		opcode, payload, err := c.Read()
		switch {
		case err != nil:
			return strings.Join(append(came, "1006"), " ")
		case opcode == edgetest.OpClose && len(payload) < 2:
			return strings.Join(append(came, "1005"), " ")
		case opcode == edgetest.OpClose:
			return strings.Join(append(came, strconv.Itoa(int(payload[0])<<8|int(payload[1])), string(payload[2:])), " ")
		case opcode == edgetest.OpPong:
			came = append(came, fmt.Sprintf("pong:%.10s", payload))
			continue
		case opcode != edgetest.OpText && opcode != edgetest.OpBinary:
			continue
		}
		m := f.decode(t, payload)
		what, _ := m["type"].(string)
		switch {
		case slices.Contains([]string{"subscribed", "welcome", "joined", "left", "typing"}, what):
			continue
		case m["content"] == "goes on" || m["room"] == "goes.on":
			return strings.Join(append(came, "+"), " ")
		case what == "error":
			what, _ = m["code"].(string)
		}
		came = append(came, what)
	}
}

// frames sends what breaks RFC 6455, and what seems to.
func frames(t *testing.T, addr string, f format) {
	path := "/chat/room/frames-" + f.name
	for _, c := range Frames(maxFrame) {
		if c.Code == Taken {
			continue
		}
		got := strings.TrimPrefix(f.converse(t, addr, path, c.Bytes), "invalid_message ") // some begin with what is no object
		if want := fmt.Sprint(c.Code); got != want && !strings.HasPrefix(got, want+" ") || !strings.Contains(got, c.Reason) {
			t.Errorf("%s: %q: got %s, want %s %s", c.Name, cut(c.Bytes), got, want, c.Reason)
		}
	}
	m := func(first byte, payload string) string { return string(edgetest.FrameBits(first, []byte(payload))) }
	say := f.encode("type", "message", "content", "hé")
	cut := strings.Index(say, "\xa9") // within the é
	begin := f.first &^ 0x80
	for _, c := range []struct{ name, bytes, want string }{
		{"a message", f.frame(say), "message +"},
		{"fragments, cut within a character", m(begin, say[:cut]) + m(0x80, say[cut:]), "message +"},
		{"a byte in each", piecemeal(begin, say), "message +"},
		{"nothing in each", m(begin, "") + m(0x00, "") + m(0x00, say) + m(0x00, "") + m(0x80, ""), "message +"},
		{"a ping between fragments", m(begin, say[:cut]) + m(0x89, "between") + m(0x80, say[cut:]), "pong:between message +"},
		{"a pong between fragments", m(begin, say[:cut]) + m(0x8a, "x") + m(0x80, say[cut:]), "message +"},
		{"a ping of 125 bytes", m(0x89, strings.Repeat("x", 125)), "pong:xxxxxxxxxx +"},
		{"a pong that nobody asked for", m(0x8a, "x"), "+"},
		// RFC 6455 section 5.2 has it that a sender uses the shortest length. Nobody is harmed by another, and none of the usual servers minds.
		{"a length of 16 bits where 7 would do", string([]byte{f.first, 0xfe, 0, byte(len(say)), 0, 0, 0, 0}) + say, "message +"},
		{"a length of 64 bits where 7 would do", string([]byte{f.first, 0xff, 0, 0, 0, 0, 0, 0, 0, byte(len(say)), 0, 0, 0, 0}) + say, "message +"},
		{"a mask of zeros", string([]byte{f.first, 0x80 | byte(len(say)), 0, 0, 0, 0}) + say, "message +"},
		{"nothing", f.frame(""), "invalid_message +"},
		{"as much as it may be", f.frame(strings.Repeat(" ", maxFrame)), "invalid_message +"},
	} {
		if got := f.converse(t, addr, path, c.bytes); got != c.want {
			t.Errorf("%s: %q: got %s, want %s", c.name, c.bytes[:min(len(c.bytes), 100)], got, c.want)
		}
	}
}

// piecemeal is a message in fragments of a byte each.
func piecemeal(first byte, payload string) string {
	var b []byte
	for i := range len(payload) {
		head := byte(0)
		if i == 0 {
			head = first
		}
		if i == len(payload)-1 {
			head |= 0x80
		}
		b = append(b, edgetest.FrameBits(head, []byte{payload[i]})...)
	}
	return string(b)
}

// handshakes are sent at once, which the event loop answers, and in two parts, which net/http does.
func handshakes(t *testing.T, addr string) {
	for _, parts := range []int{1, 2} {
		for _, h := range Handshakes("/chat/room/handshakes") {
			c := dial(t, addr)
			_ = c.SetDeadline(time.Now().Add(patience))
			rest := h.Request
			if parts == 2 {
				_, _ = c.Write([]byte(rest[:1]))
				time.Sleep(2 * time.Millisecond) // or it is one part, which is as good
				rest = rest[1:]
			}
			go func() { _, _ = c.Write([]byte(rest)) }()
			method, _, _ := strings.Cut(h.Request, " ")
			resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
			if err != nil {
				t.Errorf("%s, in %d: %v", h.Name, parts, err)
				continue
			}
			body := make([]byte, 1024)
			n, _ := resp.Body.Read(body)
			var refused struct{ Error struct{ Code string } }
			if h.Code != "" {
				_ = json.Unmarshal(body[:n], &refused)
			}
			if resp.StatusCode != h.Status || refused.Error.Code != h.Code {
				t.Errorf("%s, in %d: %q: %s %s, want %d %s", h.Name, parts, cut(h.Request), resp.Status, body[:n], h.Status, h.Code)
			}
			if agreed := resp.Header.Get("Sec-WebSocket-Extensions") + resp.Header.Get("Sec-WebSocket-Protocol"); agreed != "" {
				t.Errorf("%s: agreed on %s", h.Name, agreed)
			}
			if resp.StatusCode == 101 && !strings.Contains(h.Name, "section 4.1") && resp.Header.Get("Sec-WebSocket-Accept") != ExampleAccept {
				t.Errorf("%s: accepted with %s", h.Name, resp.Header.Get("Sec-WebSocket-Accept"))
			}
			_ = c.Close()
		}
	}
}
