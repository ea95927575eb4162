// Command obvious is the chat server that one writes first with the libraries that
// edgechat uses: net/http and httprouter, gws with its defaults, encoding/json, a map
// of the members of each room, and gws's Broadcaster. What edgechat costs less than
// this is what its event loop, frame log and encoder are for; it also keeps history
// and answers errors, which this does not.
//
// It listens on 127.0.0.1:$PORT and is a yardstick, not a server to run: it has no
// limits, and a frame with a negative length ends it.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/lxzan/gws"
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

// Keys of a connection's session.
const (
	keyRoom = "room"
	keyName = "username"
)

type server struct {
	gws.BuiltinEventHandler // answers pings and closes

	plain    *gws.Upgrader // for clients that offer no subprotocol, which gws otherwise refuses
	upgrader *gws.Upgrader
	epoch    string // of this process, the first part of each id

	mu    sync.Mutex
	rooms map[string]*room
}

// A room stays once it is there, so that its numbers go on.
type room struct {
	members map[*gws.Conn]struct{}
	offset  uint64 // of its newest message
}

func (s *server) join(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	name := r.URL.Query().Get("username")
	if name == "" {
		name = "Anonymous"
	}
	upgrader := s.upgrader
	if r.Header.Get("Sec-WebSocket-Protocol") == "" {
		upgrader = s.plain
	}
	conn, err := upgrader.Upgrade(w, r)
	if err != nil {
		return // Upgrade has answered
	}
	id := params.ByName("id")
	conn.Session().Store(keyRoom, id)
	conn.Session().Store(keyName, name)

	s.mu.Lock()
	if s.rooms[id] == nil {
		s.rooms[id] = &room{members: map[*gws.Conn]struct{}{}}
	}
	if conn.SubProtocol() != "" {
		n := s.rooms[id].offset
		hello, _ := json.Marshal(subscribed{Type: "subscribed", ID: fmt.Sprint(s.epoch, "-", n), Offset: n})
		_ = conn.WriteMessage(gws.OpcodeText, hello)
	}
	s.rooms[id].members[conn] = struct{}{}
	s.mu.Unlock()

	go conn.ReadLoop() // ends when the peer does; the process ends by a signal
}

// OnMessage passes a message on to everyone in the room of its sender.
func (s *server) OnMessage(conn *gws.Conn, message *gws.Message) {
	defer message.Close()
	var in inbound
	if json.Unmarshal(message.Bytes(), &in) != nil || in.Type != "message" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock() // also while it is broadcast, so that everyone sees one order
	r := s.rooms[text(conn, keyRoom)]
	r.offset++
	payload, err := json.Marshal(outbound{
		Type: "message", Username: text(conn, keyName), Content: in.Content, Timestamp: time.Now().UTC().Format(milliseconds),
		ID: fmt.Sprint(s.epoch, "-", r.offset), Offset: r.offset,
	})
	if err != nil {
		return
	}
	b := gws.NewBroadcaster(gws.OpcodeText, payload)
	defer b.Close()
	for member := range r.members {
		_ = b.Broadcast(member) // a member that is gone leaves by OnClose
	}
}

// OnClose takes a member out of its room.
func (s *server) OnClose(conn *gws.Conn, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rooms[text(conn, keyRoom)].members, conn)
}

func text(conn *gws.Conn, key string) string {
	v, _ := conn.Session().Load(key)
	s, _ := v.(string)
	return s
}

func main() {
	s := &server{rooms: map[string]*room{}, epoch: strconv.FormatInt(time.Now().Unix(), 36)}
	s.plain = gws.NewUpgrader(s, nil)
	s.upgrader = gws.NewUpgrader(s, &gws.ServerOption{SubProtocols: []string{"edgechat.v1.json"}})
	router := httprouter.New()
	router.GET("/chat/room/:id", s.join)
	err := http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("PORT")), router)
	fmt.Fprintln(os.Stderr, "obvious:", err)
	os.Exit(1)
}
