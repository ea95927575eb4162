package ws_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"edgechat/refusal"
	"edgechat/ws"

	"github.com/lxzan/gws"
)

// A greeting is what the clients of ExampleHandle send.
type greeting struct {
	To    string `json:"to"`
	Times int    `json:"times"`
}

// A route that reads like what it does: the loop receives messages which are decoded and
// checked, its end closes the connection.
func ExampleHandle() {
	router, err := ws.NewRouter(ws.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ws.Handle(router, ws.Route[greeting]{
		Path: "/greet/:from",
		Decode: ws.JSON(func(g *greeting) error {
			if g.Times < 1 || g.Times > 3 {
				return fmt.Errorf("times is %d, must be 1 to 3", g.Times)
			}
			return nil
		}),
		Reject: func(c *ws.Conn[greeting], err error) { _ = c.Send(err.Error()) },
		Handle: func(c *ws.Conn[greeting]) error {
			from := c.Request().Param("from")
			for g, err := range c.Messages() {
				if err != nil {
					return err
				}
				if err := c.Send(strings.Repeat("hello, ", g.Times) + g.To + ", says " + from); err != nil {
					return err
				}
			}
			return nil
		},
	})
	server := httptest.NewServer(router)
	fmt.Println(ask(server.URL+"/greet/ann", `{"to":"bob","times":2}`))
	fmt.Println(ask(server.URL+"/greet/ann", `{"to":"bob"}`))
	server.Close()
	_ = router.Shutdown(context.Background(), 1001, "")
	// Output:
	// "hello, hello, bob, says ann"
	// "times is 0, must be 1 to 3"
}

// shout is a session of the route in ExampleReact.
type shout struct{ conn *ws.Conn[string] }

func (s shout) Receive(msg string) { _ = s.conn.Send(strings.ToUpper(msg)) }
func (s shout) Closed(error)       {}

// The same without a goroutine for each connection, behind a guard.
func ExampleReact() {
	router, err := ws.NewRouter(ws.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ws.React(router, ws.Route[string]{
		Path: "/shout",
		Guards: []ws.Guard{func(r *ws.Request) error {
			if r.Query().Get("token") != "secret" {
				return refusal.New(refusal.Unauthorized, "a token is needed")
			}
			return nil
		}},
		Decode: func(_ bool, data []byte) (string, error) { return string(data), nil },
		Open:   func(c *ws.Conn[string]) (ws.Session[string], error) { return shout{c}, nil },
	})
	server := httptest.NewServer(router)
	fmt.Println(ask(server.URL+"/shout?token=secret", "hello"))
	fmt.Println(ask(server.URL+"/shout", "hello"))
	server.Close()
	_ = router.Shutdown(context.Background(), 1001, "")
	// Output:
	// "HELLO"
	// 401
}

// ask connects, sends one message and returns the answer, or the status of the
// refusal.
func ask(url, text string) string {
	answer := &answers{c: make(chan string, 1)}
	socket, res, err := gws.NewClient(answer, &gws.ClientOption{Addr: "ws" + url[len("http"):]})
	if err != nil {
		return fmt.Sprint(res.StatusCode)
	}
	go socket.ReadLoop()
	_ = socket.WriteString(text)
	got := <-answer.c
	_ = socket.WriteClose(1000, nil)
	return got
}

type answers struct {
	gws.BuiltinEventHandler
	c chan string
}

func (a *answers) OnMessage(_ *gws.Conn, m *gws.Message) { a.c <- string(m.Bytes()) }
