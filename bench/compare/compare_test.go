// Package compare_test checks that the servers of the comparison pass on what they
// should: one that loses, mixes up or cuts messages would be cheap for the wrong reason.
package compare_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

type frame struct {
	Type, Username, Content, Timestamp, ID string
	Offset                                 uint64
}

func TestServers(t *testing.T) {
	for name, path := range servers(t) {
		t.Run(name, func(t *testing.T) {
			address := start(t, path)
			t.Run("messages", func(t *testing.T) { testMessages(t, address) })
			t.Run("subprotocol", func(t *testing.T) { testSubprotocol(t, address) })
			t.Run("pieces", func(t *testing.T) { testPieces(t, address) })
			t.Run("control", func(t *testing.T) { testControl(t, address) })
			t.Run("refused", func(t *testing.T) { testRefused(t, address) })
		})
	}
}

// Everyone in the room gets each message once, in order and whole, and nobody else does.
func testMessages(t *testing.T, address string) {
	alice := join(t, address, "one", "Alice")
	other := join(t, address, "two", "Other")
	bob := join(t, address, "one", `B%C3%B6b%20%22%5C`)
	hear(t, alice, `Böb "\`, "hello")

	for _, content := range []string{
		"hi", "", `quotes " and \ and`, "two\nlines\t", "日本語 🐟", `","content":"no`,
		strings.Repeat("a", 30), strings.Repeat("b", 31), // about where the answer's length takes two bytes more
		strings.Repeat("c", 125), strings.Repeat("d", 126), strings.Repeat("e", 60_000),
	} {
		b, err := json.Marshal(map[string]string{"type": "message", "content": content})
		if err != nil {
			t.Fatal(err)
		}
		say(t, alice, string(b))
		hear(t, alice, "Alice", content)
		hear(t, bob, "Alice", content)
	}
	for _, ignored := range []string{
		`{"type":"typing"}`, `{"type":"other","content":"x"}`, `{"content":"x"}`, `nonsense`, `"`, `{"type":"message","content":"`,
		`{"inside":{"type":"message"},"content":"x"}`,
	} {
		say(t, bob, ignored)
	}
	say(t, bob, `{"inside":{"type":"typing","content":"no"},"list":[{"content":"no"},"content"],"content" : "yes", "type":"message", "n":1}`)
	hear(t, bob, `Böb "\`, "yes")
	hear(t, alice, `Böb "\`, "yes")

	for range 100 { // many at once
		say(t, alice, `{"type":"message","content":"again"}`)
	}
	say(t, alice, `{"type":"message","content":"last"}`)
	for _, conn := range []*websocket.Conn{alice, bob} {
		first := hear(t, conn, "Alice", "again").Offset
		for range 99 {
			hear(t, conn, "Alice", "again")
		}
		if last := hear(t, conn, "Alice", "last").Offset; last != first+100 {
			t.Errorf("100 messages after offset %d is %d", first, last)
		}
	}

	bob.Close()
	say(t, alice, `{"type":"message","content":"alone"}`)
	hear(t, alice, "Alice", "alone")
	say(t, other, `{"type":"message","content":"quiet here"}`)
	hear(t, other, "Other", "quiet here")
	nobody := join(t, address, "one", "")
	say(t, nobody, `{"type":"message","content":"who"}`)
	hear(t, nobody, "Anonymous", "who")
}

// Who offers the subprotocol gets it, and a subscribed before anything else.
func testSubprotocol(t *testing.T, address string) {
	talker := join(t, address, "named", "Talker")
	dialer := websocket.Dialer{Subprotocols: []string{"other", "edgechat.v1.json"}}
	conn, _, err := dialer.Dial("ws://"+address+"/chat/room/named?username=Nora", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Subprotocol() != "edgechat.v1.json" {
		t.Errorf("subprotocol %q, want edgechat.v1.json", conn.Subprotocol())
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var first frame
	if err := conn.ReadJSON(&first); err != nil || first.Type != "subscribed" || first.Offset != 1 {
		t.Fatalf("the first frame is %+v, %v; want a subscribed with offset 1", first, err)
	}
	say(t, talker, `{"type":"message","content":"live"}`)
	if f := hear(t, conn, "Talker", "live"); f.Offset != first.Offset+1 {
		t.Errorf("the message after subscribed with offset %d has %d", first.Offset, f.Offset)
	}
}

// A request and frames that come a byte at a time are the same.
func testPieces(t *testing.T, address string) {
	slow := websocket.Dialer{WriteBufferSize: oneFrame, NetDial: func(network, address string) (net.Conn, error) {
		conn, err := net.Dial(network, address)
		return bytewise{conn}, err
	}}
	conn, _, err := slow.Dial("ws://"+address+"/chat/room/pieces?x=1&username=Slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, content := range []string{"small", strings.Repeat("x", 300)} {
		say(t, conn, `{"type":"message","content":"`+content+`"}`)
		hear(t, conn, "Slow", content)
	}
}

// oneFrame is the write buffer of a client, in bytes: what does not fit is sent in fragments,
// which floor refuses.
const oneFrame = 64 << 10

type bytewise struct{ net.Conn }

func (c bytewise) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// A ping is answered, and so is a close.
func testControl(t *testing.T, address string) {
	conn := join(t, address, "control", "Carol")
	pongs := 0
	conn.SetPongHandler(func(string) error { pongs++; return nil })
	if err := conn.WriteMessage(websocket.PingMessage, []byte("there?")); err != nil {
		t.Fatal(err)
	}
	say(t, conn, `{"type":"message","content":"behind the ping"}`)
	hear(t, conn, "Carol", "behind the ping")
	if pongs != 1 {
		t.Errorf("%d pongs came before the answer to a later frame, want 1", pongs)
	}
	if err := conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := conn.ReadMessage(); !websocket.IsCloseError(err, 1000) {
		t.Errorf("after a close with 1000: %q, %v", b, err)
	}
}

func testRefused(t *testing.T, address string) {
	for path, ok := range map[string]bool{"/chat/room/x": true, "/": false, "/chat/room/": false, "/chat/room/a/b": false} {
		conn, response, err := websocket.DefaultDialer.Dial("ws://"+address+path, nil)
		if err == nil {
			conn.Close()
		}
		if (err == nil) != ok {
			t.Errorf("upgrade of %s: %v", path, err)
		} else if !ok && (response == nil || response.StatusCode != http.StatusNotFound) {
			t.Errorf("upgrade of %s: %+v, want 404", path, response)
		}
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get("http://" + address + "/chat/room/x")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("without an upgrade: %s, want 400", response.Status)
	}
}

// join returns a member that has already heard itself, so that its joining is over.
func join(t *testing.T, address, room, name string) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{WriteBufferSize: oneFrame}
	conn, _, err := dialer.Dial("ws://"+address+"/chat/room/"+room+"?username="+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	say(t, conn, `{"type":"message","content":"hello"}`)
	read(t, conn, "hello")
	return conn
}

func say(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hear fails unless the next frame is a message of that member with that content.
func hear(t *testing.T, conn *websocket.Conn, username, content string) frame {
	t.Helper()
	f := read(t, conn, content)
	if f.Username != username {
		t.Fatalf("the sender of %.40q is %q, want %q", content, f.Username, username)
	}
	return f
}

func read(t *testing.T, conn *websocket.Conn, content string) frame {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, b, err := conn.ReadMessage()
	if err != nil {
		t.Fatalf("waiting for %.40q: %v", content, err)
	}
	var f frame
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatalf("frame %.200q: %v", b, err)
	}
	if f.Type != "message" || f.Content != content {
		t.Fatalf("got %.200q, want a message with content %.40q", b, content)
	}
	if at, err := time.Parse("2006-01-02T15:04:05.000Z", f.Timestamp); err != nil || time.Since(at).Abs() > time.Minute {
		t.Fatalf("timestamp %q: %v", f.Timestamp, err)
	}
	if epoch, offset, found := strings.Cut(f.ID, "-"); !found || epoch == "" || offset != strconv.FormatUint(f.Offset, 10) {
		t.Fatalf("id %q with offset %d, want one that ends in it", f.ID, f.Offset)
	}
	return f
}
