package ws

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

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
	rt := newRouter(t, Config{})
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
		c.Raw([]byte(masked(0x81, "one") + masked(0x81, "two") + masked(0x81, "three")))
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
			{"\x03\xed", &CloseError{1005, ""}}, // which no close frame may have
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
