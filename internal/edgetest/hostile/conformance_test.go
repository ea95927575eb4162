package hostile

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A request is what a client sends over HTTP, and what it must get: the status and the code of each answer,
// and "+" if the connection then goes on, as far as one more request (goesOn) that is sent right behind.
type request struct{ name, bytes, want string }

// goesOn is answered, with this, if the connection still is in step.
const (
	goesOn = "GET /chat/room/goes.on/members HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	went   = `{"room":"goes.on","members":[]}` + "\n"
)

// shipped starts the program with what it is shipped with: no setting but address and folder.
func shipped(t *testing.T) *Server {
	t.Helper()
	return Serve(t, *program)
}

// TestConformance sends everything that a client should not, by what is written about HTTP (RFC 9110, RFC 9112), WebSocket
// (RFC 6455) and above, to the program as it is shipped. Meanwhile people in other rooms go on talking, in both
// formats: none of them misses anything, or waits for longer than people on another server.
func TestConformance(t *testing.T) {
	s, control := shipped(t), shipped(t)
	talk := func(s *Server) *Child {
		return Start(t, Task{Quiet: &Quiet{Addr: s.Addr, Pairs: 4, Every: 120 * time.Millisecond}})
	}
	beside, apart := talk(s), talk(control)
	t.Run("all", func(t *testing.T) {
		for chapter, rows := range map[string][]request{
			"request lines": requestLines, "targets": targets, "fields": fields, "hosts": hosts, "lengths": lengths, "chunks": chunks,
			"expectations": expectations, "methods": methods, "rooms": rooms, "cursors": cursors, "posts": posts, "revisions": revisions,
		} {
			t.Run(chapter, func(t *testing.T) { t.Parallel(); ask(t, s.Addr, rows) })
		}
		for _, f := range formats {
			t.Run("frames "+f.name, func(t *testing.T) { t.Parallel(); frames(t, s.Addr, f) })
			t.Run("messages "+f.name, func(t *testing.T) { t.Parallel(); messages(t, s.Addr, f) })
			t.Run("others "+f.name, func(t *testing.T) { t.Parallel(); others(t, s.Addr, f) })
		}
		t.Run("handshakes", func(t *testing.T) { t.Parallel(); handshakes(t, s.Addr) })
		t.Run("slow", func(t *testing.T) { t.Parallel(); slow(t, s.Addr) })
	})
	var l, c Latencies
	beside.End(&l)
	apart.End(&c)
	t.Logf("messages: %v; on another server: %v\n/healthz: %v; on the other: %v", l.Messages, c.Messages, l.Healthz, c.Healthz)
	if l.Messages.N < 100 || l.Messages.P99 > 2*messageLimit+c.Messages.P99 {
		t.Errorf("want p99 of messages at most %v above the other server's", 2*messageLimit)
	}
	s.Stop()
	control.Stop()
}

// ask sends each of rows on a connection of its own.
func ask(t *testing.T, addr string, rows []request) {
	for _, r := range rows {
		if got := exchange(t, addr, r.bytes); got != r.want {
			t.Errorf("%s: %q\n got %s\nwant %s", r.name, cut(r.bytes), got, r.want)
		}
	}
}

func cut(s string) string {
	if len(s) > 300 {
		return s[:200] + "..." + s[len(s)-60:]
	}
	return s
}

// exchange sends bytes, and goesOn behind them, and says what was answered until the server hung up.
func exchange(t *testing.T, addr, bytes string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	go func() { _, _ = io.WriteString(c, bytes+goesOn) }() // which fails where the answer comes before the end of it
	method, _, _ := strings.Cut(bytes, " ")
	var answers []string
	for r := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
				answers = append(answers, err.Error())
			}
			return strings.Join(answers, " ")
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return strings.Join(append(answers, err.Error()), " ")
		}
		if string(body) == went {
			answers = append(answers, "+")
			continue
		}
		if method == http.MethodHead {
			method = http.MethodGet // goesOn
		}
		answers = append(answers, strconv.Itoa(resp.StatusCode))
		var refused struct{ Error struct{ Code string } }
		if json.Unmarshal(body, &refused) == nil && refused.Error.Code != "" {
			answers = append(answers, refused.Error.Code)
		}
	}
}

// get is a request without a body; fields are whole lines.
func get(target string, fields ...string) string { return with("GET", target, "", fields...) }

// post is a message to the room "hostile".
func post(body string, fields ...string) string {
	return with("POST", "/chat/room/hostile/messages", body, append(fields, "Content-Length: "+strconv.Itoa(len(body)))...)
}

func with(method, target, body string, fields ...string) string {
	return strings.Join(append([]string{method + " " + target + " HTTP/1.1", "Host: x"}, fields...), "\r\n") + "\r\n\r\n" + body
}
