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

// An echo route: the loop reads, the return closes.
func ExampleHandle() {
	router, err := ws.NewRouter(ws.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ws.Handle(router, ws.Route[string]{
		Path:   "/echo/:name",
		Decode: func(_ bool, data []byte) (string, error) { return string(data), nil },
		Handle: func(c *ws.Conn[string]) error {
			for msg, err := range c.Messages() {
				if err != nil {
					return err
				}
				if err := c.Send(c.Request().Param("name") + " heard: " + msg); err != nil {
					return err
				}
			}
			return nil
		},
	})
	server := httptest.NewServer(router)
	fmt.Println(ask(server.URL+"/echo/ann", "hello"))
	server.Close()
	_ = router.Shutdown(context.Background(), 1001, "")
	// Output: "ann heard: hello"
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
