package chat_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"edgechat/chat"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/store"
	"edgechat/ws"

	"github.com/lxzan/gws"
)

// A chat room in twenty lines, for those who write a controller of their own.
func Example() {
	dir, err := os.MkdirTemp("", "edgechat")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	history, err := store.Open(store.Config{Path: filepath.Join(dir, "edgechat.db")})
	if err != nil {
		log.Fatal(err)
	}
	rooms, err := hub.New(hub.Config{Log: history, Formats: chat.Formats()})
	if err != nil {
		log.Fatal(err)
	}
	router, err := ws.NewRouter(ws.Config{})
	if err != nil {
		log.Fatal(err)
	}

	ws.Handle(router, ws.Route[codec.Client]{
		Path:   "/chat/room/:roomId",
		Decode: codec.Limits{}.DecodeClient,
		Handle: func(c *ws.Conn[codec.Client]) error {
			r := c.Request()
			member := rooms.Join(r.Param("roomId"), c, hub.Join{Username: r.Query().Get("username")}, nil)
			defer member.Leave()
			c.Attach(member)
			for msg, err := range c.Messages() {
				switch {
				case err != nil:
					return err
				case msg.Type == codec.TypeTyping:
					member.Typing()
				case msg.Type == codec.TypeMessage:
					_ = member.Publish(msg.Content, 0, "", codec.Done{})
				}
			}
			return nil
		},
	})

	server := httptest.NewServer(router)
	heard := &listener{c: make(chan string)}
	socket, _, err := gws.NewClient(heard, &gws.ClientOption{Addr: "ws" + server.URL[len("http"):] + "/chat/room/den?username=Alice"})
	if err != nil {
		log.Fatal(err)
	}
	go socket.ReadLoop()
	fmt.Println(<-heard.c)
	_ = socket.WriteString(`{"type":"message","content":"Hello everyone!"}`)
	fmt.Println(<-heard.c)
	_ = socket.WriteClose(1000, nil)

	server.Close()
	_ = router.Shutdown(context.Background(), 1001, "")
	rooms.Close()
	_ = history.Close()
	// Output:
	// {"type":"joined","username":"Alice"
	// {"type":"message","username":"Alice","content":"Hello everyone!"
}

type listener struct {
	gws.BuiltinEventHandler
	c chan string
}

func (l *listener) OnMessage(_ *gws.Conn, m *gws.Message) {
	text := string(m.Bytes())
	for i := range text { // without what differs from run to run
		if len(text)-i > 12 && text[i:i+12] == `,"timestamp"` {
			l.c <- text[:i]
			return
		}
	}
}
