package ws

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

func TestEchoAndReject(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, rt, ends := echo(t, v.with(Config{}), 0)
		c := edgetest.Dial(t, base+v.path)
		c.Text("hi")
		c.ExpectText("hi")
		c.Text("bad message")
		if code, reason := c.ExpectClose(); code != refusal.CloseInvalidData || reason != "text begins with bad" {
			t.Errorf("closed with %d %q", code, reason)
		}
		_ = c.Conn.Close()
		if err := <-ends; err != nil {
			t.Errorf("ended with %v: it was closed from here", err)
		}
		if s := rt.Stats(); s.Accepted != 1 || s.Invalid != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestHandleEnds: what a handler returns is how its connection closes, and what it sent comes
// first.
func TestHandleEnds(t *testing.T) {
	rt := newRouter(t, Config{CloseTimeout: 100 * time.Millisecond})
	how := map[string]func(c *Conn[string]) error{
		"nil":       func(*Conn[string]) error { return nil },
		"error":     func(*Conn[string]) error { return errors.New("secret") },
		"panic":     func(*Conn[string]) error { panic("secret") },
		"code":      func(*Conn[string]) error { return &CloseError{4001, "because"} },
		"long":      func(*Conn[string]) error { return &CloseError{4001, strings.Repeat("ä", 100)} },
		"closed":    func(c *Conn[string]) error { c.Close(4002, "first"); return errors.New("second") },
		"loopleft":  func(c *Conn[string]) error { leave(c); return nil },
		"loopagain": func(c *Conn[string]) error { leave(c); return again(c) },
		"looppanic": func(c *Conn[string]) error {
			for range c.Messages() {
				panic("in the body")
			}
			return nil
		},
	}
	Handle(rt, Route[string]{Path: "/:how", Decode: decodeText, Handle: func(c *Conn[string]) error {
		if err := c.Send("before the end"); err != nil {
			t.Error(err)
		}
		return how[c.Request().Param("how")](c)
	}})
	base := serve(t, rt)
	for _, test := range []struct {
		path   string
		code   int
		reason string
	}{
		{"nil", 1000, ""}, {"error", 1011, "the server failed on this connection"}, {"panic", 1011, "the server failed on this connection"},
		{"code", 4001, "because"}, {"long", 4001, strings.Repeat("ä", 61)}, {"closed", 4002, "first"},
		{"loopleft", 1000, ""}, {"loopagain", 1000, ""}, {"looppanic", 1011, "the server failed on this connection"},
	} {
		c := edgetest.Dial(t, base+"/"+test.path)
		c.ExpectText(`"before the end"`)
		// More than one message: gws has the second buffered when the loop is left.
		c.Raw([]byte(frame(0x81, "one") + frame(0x81, "two") + frame(0x81, "three")))
		if strings.HasPrefix(test.path, "loop") && test.path != "looppanic" {
			c.ExpectText(`"after the loop: one"`)
		}
		if code, reason := c.ExpectClose(); code != test.code || reason != test.reason {
			t.Errorf("%s: closed with %d %q, want %d %q", test.path, code, reason, test.code, test.reason)
		}
		if _, _, err := c.Read(); err != io.EOF {
			t.Errorf("%s: after the close frame: %v, want EOF", test.path, err)
		}
		_ = c.Conn.Close()
	}
	if n := rt.Stats().Panics; n != 2 {
		t.Errorf("%d panics counted", n)
	}
}

func leave(c *Conn[string]) {
	for msg := range c.Messages() {
		_ = c.Send("after the loop: " + msg)
		break
	}
}

func again(c *Conn[string]) error {
	for msg, err := range c.Messages() {
		if err != ErrLeft {
			return &CloseError{4999, "got " + msg}
		}
	}
	return nil
}

// TestEnds: what a session learns of how its peer went. The close codes of a normal end are
// no error, in either driver.
func TestEnds(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, _, ends := echo(t, v.with(Config{}), 0)
		for _, test := range []struct {
			payload string
			want    *CloseError // nil is a normal end
		}{
			{"", nil},
			{"\x03\xe8", nil},
			{"\x03\xe8bye", nil},
			{"\x03\xe9", nil},
			{"\x03\xe9leaving the page", nil},
			{"\x03\xeb", &CloseError{1003, ""}},
			{"\x03\xf3broken", &CloseError{1011, "broken"}},
			{"\x0f\xa0going", &CloseError{4000, "going"}},
		} {
			c := edgetest.Dial(t, base+v.path)
			c.Raw(edgetest.Frame(edgetest.OpClose, []byte(test.payload)))
			err := <-ends
			got, isClose := err.(*CloseError)
			if test.want == nil && err != nil || test.want != nil && (!isClose || *got != *test.want) {
				t.Errorf("close frame %q ends with %v, want %v", test.payload, err, test.want)
			}
			_ = c.Conn.Close()
		}
	})
}

type user struct{}

func TestGuardsAndRequest(t *testing.T) {
	rt := newRouter(t, Config{})
	guard := func(r *Request) error {
		switch name := r.Query().Get("name"); name {
		case "":
			return refusal.New(refusal.Unauthorized, "who are you?").With("WWW-Authenticate", "Bearer")
		case "mallory":
			return errors.New("secret")
		case "oscar":
			panic("secret")
		default:
			r.Set(user{}, strings.ToUpper(name))
			return nil
		}
	}
	Handle(rt, Route[string]{
		Path: "/room/:id", Decode: decodeText, Guards: []Guard{guard}, Subprotocols: []string{"v2", "v1"},
		Handle: func(c *Conn[string]) error {
			r := c.Request()
			return c.Send([]any{r.Param("id"), r.Value(user{}), r.Query().Get("x"), c.Subprotocol(), r.Header.Get("X-A")})
		},
	})
	rt.HTTP("GET", "/plain/:id", func(w http.ResponseWriter, r *Request) error {
		_, err := io.WriteString(w, r.Param("id")+" "+r.Value(user{}).(string))
		return err
	}, guard)
	base := serve(t, rt)

	c := edgetest.Dial(t, base+"/room/caf%C3%A9?name=ann&x=1%262", "X-A: b", "Sec-WebSocket-Protocol: v0, v1", "Sec-WebSocket-Protocol: v2")
	c.ExpectText(`["café","ANN","1\u00262","v2","b"]`)
	if p := c.Response.Header.Get("Sec-WebSocket-Protocol"); p != "v2" {
		t.Errorf("subprotocol %q", p)
	}
	c = edgetest.Dial(t, base+"/room/a?name=ann", "Sec-WebSocket-Protocol: v9")
	c.ExpectText(`["a","ANN","","",""]`)
	if p, ok := c.Response.Header["Sec-Websocket-Protocol"]; ok {
		t.Errorf("subprotocol %q for a client that offers others", p)
	}

	for _, test := range []struct {
		path   string
		status int
		body   string
	}{
		{"/room/a", 401, `{"error":{"code":"unauthorized","message":"who are you?"}}`},
		{"/room/a?name=mallory", 500, `"code":"internal"`},
		{"/room/a?name=oscar", 500, `"code":"internal"`},
		{"/room/a?name=%zz", 400, `"code":"invalid_query"`},
		{"/room", 404, `"code":"not_found"`},
		{"/room/a/", 404, `"code":"not_found"`},
		{"/plain/a", 401, `who are you?`},
	} {
		c := edgetest.TryDial(t, base+test.path)
		body, _ := io.ReadAll(c.Response.Body)
		if c.Response.StatusCode != test.status || !strings.Contains(string(body), test.body) || strings.Contains(string(body), "secret") {
			t.Errorf("%s: %d %s, want %d with %s", test.path, c.Response.StatusCode, body, test.status, test.body)
		}
		if test.status == 401 && c.Response.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Error("no WWW-Authenticate")
		}
	}

	httpBase := "http" + base[2:]
	res := get(t, "GET", httpBase+"/plain/a?name=ann")
	if res != `200 "a ANN"` {
		t.Errorf("plain: %s", res)
	}
	if res := get(t, "HEAD", httpBase+"/plain/a?name=ann"); res != `200 ""` {
		t.Errorf("HEAD: %s", res)
	}
	if res := get(t, "DELETE", httpBase+"/plain/a"); !strings.HasPrefix(res, "405 ") {
		t.Errorf("DELETE: %s", res)
	}
	if res := get(t, "GET", httpBase+"/room/a?name=ann"); !strings.HasPrefix(res, "426 ") {
		t.Errorf("GET without upgrade: %s", res)
	}
}

func get(t *testing.T, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.Status[:4] + `"` + string(body) + `"`
}

// TestHandshake: what a handshake is answered with does not depend on who has
// accepted the connection.
func TestHandshake(t *testing.T) {
	t.Run("door", func(t *testing.T) { testHandshake(t, autoDriver) })
	t.Run("net/http", func(t *testing.T) { testHandshake(t, hijackLoop) })
}

func testHandshake(t *testing.T, driver driver) {
	base, _, _ := echo(t, Config{driver: driver}, 0)
	const good = "GET /react HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for _, test := range []struct {
		name, request string
		status        int
		code          string // of the body; "" is a refusal of net/http's own, or none
	}{
		{"good", good, 101, ""},
		{"spelled otherwise", strings.NewReplacer("websocket\r", "WebSocket\r", "Connection: Upgrade", "connection: keep-alive, upgrade").Replace(good), 101, ""},
		{"two Connection lines", swap("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"), 101, ""},
		{"no Upgrade", swap("Upgrade: websocket\r\n", ""), 426, "upgrade_required"},
		{"Upgrade to h2c", swap("websocket\r\n", "h2c\r\n"), 426, "upgrade_required"},
		{"no Connection", swap("Connection: Upgrade\r\n", ""), 400, "bad_handshake"},
		{"HTTP/1.0", swap("HTTP/1.1", "HTTP/1.0"), 400, "bad_handshake"},
		{"HEAD", swap("GET", "HEAD"), 400, ""},
		{"POST", swap("GET", "POST"), 405, "method_not_allowed"},
		{"no version", swap("Sec-WebSocket-Version: 13\r\n", ""), 426, "bad_handshake"},
		{"version 8", swap(": 13", ": 8"), 426, "bad_handshake"},
		{"no key", swap("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400, "bad_handshake"},
		{"short key", swap("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), 400, "bad_handshake"},
		{"key that is no base64", swap("dGhlIHNhbXBsZSBub25jZQ==", "????????????????????????"), 400, "bad_handshake"},
		{"two keys", swap("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key"), 400, "bad_handshake"},
		{"no Host", swap("Host: x\r\n", ""), 400, ""},
		{"two Hosts", swap("Host: x", "Host: x\r\nHost: y"), 400, ""},
		{"a Host that is none", swap("Host: x", "Host: a b"), 400, ""},
		{"empty Host", swap("Host: x", "Host: "), 101, ""},
		{"a folded line", swap("Upgrade: websocket", "Upgrade:\r\n websocket"), 101, ""},
		{"a space before the colon", swap("Upgrade: websocket", "Upgrade : websocket"), 400, ""},
		{"a control character", swap("Host: x", "Host: x\r\nX: a\x01b"), 400, ""},
		{"a name that is none", swap("Host: x", "Host: x\r\nX[]: a"), 400, ""},
		{"lines that end in LF", strings.ReplaceAll(good, "\r\n", "\n"), 101, ""},
		{"the whole URL", swap("/react", "http://x/react"), 101, ""},
		{"no path", swap("/react", "react"), 400, ""},
		{"an escape that is none", swap("/react", "/react%zz"), 400, ""},
		{"nothing there", swap("/react", "/nothing"), 404, "not_found"},
		{"a query that is none", swap("/react", "/react?a=%zz"), 400, "invalid_query"},
		{"chunks", swap("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, "bad_handshake"},
		{"a long head", swap("Host: x", "Host: x\r\nX: "+strings.Repeat("x", 2*maxHead)), 101, ""},
		{"a body", swap("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nhi"), 400, "bad_handshake"},
	} {
		c := rawClient(t, base)
		c.Raw([]byte(test.request))
		c.ReadResponse()
		if c.Response.StatusCode != test.status {
			t.Errorf("%s: %s, want %d", test.name, c.Response.Status, test.status)
		}
		if strings.HasPrefix(test.request, "HEAD") {
			// A refusal without its body.
		} else if code := refusalCode(t, c.Response); code != test.code {
			t.Errorf("%s: refused with the code %q, want %q", test.name, code, test.code)
		}
		switch test.status {
		case 101:
			// The answer to the example key of RFC 6455 section 1.3.
			if a := c.Response.Header.Get("Sec-WebSocket-Accept"); a != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
				t.Errorf("%s: accept %q", test.name, a)
			}
		case 426:
			if v := c.Response.Header.Get("Sec-WebSocket-Version"); v != "13" {
				t.Errorf("%s: 426 names version %q", test.name, v)
			}
		}
		_ = c.Conn.Close()
	}
}

// refusalCode is the code in the JSON body of a refusal, "" if it is none.
func refusalCode(t *testing.T, res *http.Response) string {
	t.Helper()
	if res.StatusCode == http.StatusSwitchingProtocols || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return ""
	}
	var body struct{ Error struct{ Code string } }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Error(err)
	}
	return body.Error.Code
}

func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, rt, ends := echo(t, v.with(Config{}), 0)
		var clients []*edgetest.Client
		for range 50 {
			clients = append(clients, edgetest.Dial(t, base+v.path))
		}
		for _, c := range clients {
			c.Text("in flight")
			c.ExpectText("in flight")
		}
		done := make(chan error)
		go func() {
			done <- rt.Shutdown(context.Background(), refusal.CloseServiceRestart, "restarting, come back in 1 to 5 s")
		}()
		for _, c := range clients {
			if code, reason := c.ExpectClose(); code != refusal.CloseServiceRestart || reason != "restarting, come back in 1 to 5 s" {
				t.Errorf("closed with %d %q", code, reason)
			}
			_ = c.Conn.Close()
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		for range clients {
			if err := <-ends; err != nil {
				t.Errorf("ended with %v", err)
			}
		}
		c := edgetest.TryDial(t, base+v.path)
		if c.Response.StatusCode != 503 || c.Response.Header.Get("Retry-After") == "" {
			t.Errorf("after the shutdown: %s", c.Response.Status)
		}
	})
}

// TestShutdownCuts: a peer that neither reads nor answers does not hold it up.
func TestShutdownCuts(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, rt, _ := echo(t, v.with(Config{CloseTimeout: time.Hour}), 0)
		c := edgetest.Dial(t, base+v.path)
		c.Text("hi")
		c.ExpectText("hi")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := rt.Shutdown(ctx, refusal.CloseServiceRestart, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
	})
}

// TestShutdownBetween: a handshake that was let through when Shutdown came in
// between is answered, not cut.
func TestShutdownBetween(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, rt, _ := echo(t, v.with(Config{}), 0)
		rt.conns.shut()
		c := edgetest.TryDial(t, base+v.path)
		body, err := io.ReadAll(c.Response.Body)
		if err != nil || c.Response.StatusCode != 503 || c.Response.Header.Get("Retry-After") == "" || !strings.Contains(string(body), `"code":"unavailable"`) {
			t.Errorf("%s %v %q, %v", c.Response.Status, c.Response.Header, body, err)
		}
	})
}
