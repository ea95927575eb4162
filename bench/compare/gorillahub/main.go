// Command gorillahub is the shape that most Go chat servers have: gorilla/websocket,
// one hub goroutine that owns the rooms and is told of everything through channels,
// and for each client a read pump and a write pump with a queue of frames between hub
// and writer. A client whose queue is full is dropped.
//
// It listens on 127.0.0.1:$PORT and is a yardstick, not a server to run: there is no
// history, and nothing limits who connects.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// What such servers commonly set.
const (
	queueLength  = 256 // frames that wait for one client
	maxFrame     = 64 << 10
	writeTimeout = 10 * time.Second
	pongTimeout  = 60 * time.Second
	pingInterval = pongTimeout * 9 / 10
)

type inbound struct {
	Type    string `json:"type"`
	Content string `json:"content"`
}

type outbound struct {
	Type      string `json:"type"`
	Username  string `json:"username"`
	Content   string `json:"content"`
	Timestamp string `json:"timestamp"`
	ID        string `json:"id"`
	Offset    uint64 `json:"offset"`
}

// What a client that speaks edgechat.v1 waits for before it speaks.
type subscribed struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Offset uint64 `json:"offset"`
}

const milliseconds = "2006-01-02T15:04:05.000Z07:00"

type client struct {
	conn       *websocket.Conn
	room, name string
	queue      chan []byte // closed by the hub, which alone writes to it
}

type publication struct {
	from    *client
	content string
}

// A room stays once it is there, so that its numbers go on.
type room struct {
	members map[*client]bool
	offset  uint64 // of its newest message
}

type hub struct {
	epoch   string // of this process, the first part of each id
	join    chan *client
	leave   chan *client
	publish chan publication
}

// run owns the rooms; it lives as long as the process.
func (h *hub) run() {
	rooms := map[string]*room{}
	remove := func(c *client) {
		if members := rooms[c.room].members; members[c] { // else it was dropped before it left
			delete(members, c)
			close(c.queue)
		}
	}
	for {
		select {
		case c := <-h.join:
			if rooms[c.room] == nil {
				rooms[c.room] = &room{members: map[*client]bool{}}
			}
			if c.conn.Subprotocol() != "" {
				n := rooms[c.room].offset
				hello, _ := json.Marshal(subscribed{Type: "subscribed", ID: fmt.Sprint(h.epoch, "-", n), Offset: n})
				c.queue <- hello // its first
			}
			rooms[c.room].members[c] = true
		case c := <-h.leave:
			remove(c)
		case p := <-h.publish:
			r := rooms[p.from.room]
			r.offset++
			payload, err := json.Marshal(outbound{
				Type: "message", Username: p.from.name, Content: p.content, Timestamp: time.Now().UTC().Format(milliseconds),
				ID: fmt.Sprint(h.epoch, "-", r.offset), Offset: r.offset,
			})
			if err != nil {
				continue
			}
			for c := range r.members {
				select {
				case c.queue <- payload:
				default:
					remove(c)
				}
			}
		}
	}
}

// read is the read pump; the end of the connection ends it.
func (c *client) read(h *hub) {
	defer func() {
		h.leave <- c
		c.conn.Close()
	}()
	c.conn.SetReadLimit(maxFrame)
	_ = c.conn.SetReadDeadline(time.Now().Add(pongTimeout))
	c.conn.SetPongHandler(func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongTimeout)) })
	for {
		_, frame, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		var in inbound
		if json.Unmarshal(frame, &in) != nil || in.Type != "message" {
			continue
		}
		h.publish <- publication{c, in.Content}
	}
}

// write is the write pump; the hub ends it by closing the queue. Each message is a
// frame of its own, since a client parses each frame as one JSON value.
func (c *client) write() {
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	defer c.conn.Close()
	for {
		kind, payload := websocket.PingMessage, []byte(nil)
		select {
		case frame, open := <-c.queue:
			kind, payload = websocket.TextMessage, frame
			if !open {
				kind, payload = websocket.CloseMessage, nil
			}
		case <-ping.C:
		}
		_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err := c.conn.WriteMessage(kind, payload); err != nil || kind == websocket.CloseMessage {
			return
		}
	}
}

func main() {
	h := &hub{epoch: strconv.FormatInt(time.Now().Unix(), 36), join: make(chan *client), leave: make(chan *client), publish: make(chan publication, queueLength)}
	go h.run()

	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, Subprotocols: []string{"edgechat.v1.json"}}
	http.HandleFunc("GET /chat/room/{id}", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		name := r.URL.Query().Get("username")
		if name == "" {
			name = "Anonymous"
		}
		c := &client{conn, r.PathValue("id"), name, make(chan []byte, queueLength)}
		h.join <- c
		go c.write()
		go c.read(h)
	})
	err := http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("PORT")), nil)
	fmt.Fprintln(os.Stderr, "gorillahub:", err)
	os.Exit(1)
}
