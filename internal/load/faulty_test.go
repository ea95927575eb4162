package load

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
)

// A faulty is a small chat server that does with each delivery what it is told to.
type faulty struct {
	// deliver returns what member (by order of joining its room, from 0) is written for the
	// message of this number (from 0), whose frame is given; nil for as it is.
	deliver func(s *faulty, member int, n uint64, m codec.Message) []byte
	// refuse answers a handshake, by order, rather than letting it in; nil refuses none.
	refuse func(n int, w http.ResponseWriter) bool
	// cut closes the connection of a member before it gets this message.
	cut func(member int, n uint64) bool

	mu       sync.Mutex // guards all below, and order within a room
	rooms    map[string]*faultyRoom
	shakes   int
	held     []byte // of a delivery that comes later
	messages int
}

type faultyRoom struct {
	members []net.Conn
	offset  uint64
}

func (s *faulty) start(t *testing.T) (url string) {
	t.Helper()
	s.rooms = map[string]*faultyRoom{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) }) // until Close
	t.Cleanup(func() { _ = srv.Close(); wg.Wait() })
	return "ws://" + l.Addr().String()
}

func (s *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.shakes++
	n := s.shakes - 1
	s.mu.Unlock()
	if s.refuse != nil && s.refuse(n, w) {
		return
	}
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	hello := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: edgechat.v1.json\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	s.mu.Lock()
	room := s.rooms[name]
	if room == nil {
		room = new(faultyRoom)
		s.rooms[name] = room
	}
	room.members = append(room.members, conn)
	first := codec.AppendSubscribed(nil, codec.JSON, &codec.Subscribed{Room: name, Head: codec.ID{Epoch: "e"}, MaxContent: 4096})
	_, _ = conn.Write(append([]byte(hello), serverFrame(opText, first)...)) // what comes with the answer must not be lost
	s.mu.Unlock()
	for {
		payload, err := readMasked(rw.Reader)
		if err != nil {
			return
		}
		var x struct{ Content string }
		if json.Unmarshal(payload, &x) != nil {
			continue
		}
		s.publish(room, x.Content)
	}
}

func (s *faulty) publish(room *faultyRoom, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := room.offset
	room.offset++
	s.messages++
	m := codec.Message{ID: codec.ID{Epoch: "e", Offset: n + 1}, Username: "x", Content: content, Time: time.Now().UnixMilli()}
	for i, conn := range room.members {
		if s.cut != nil && s.cut(i, n) {
			_, _ = conn.Write(serverFrame(opClose, append([]byte{1013 >> 8, 1013 & 0xff}, "too slow"...)))
			_ = conn.Close()
		}
		out := messageFrame(m)
		if s.deliver != nil {
			out = s.deliver(s, i, n, m)
		}
		_, _ = conn.Write(out)
	}
}

func messageFrame(m codec.Message) []byte {
	return serverFrame(opText, codec.AppendMessage(nil, codec.JSON, &m))
}

func serverFrame(opcode byte, payload []byte) []byte {
	if len(payload) <= 125 {
		return append([]byte{0x80 | opcode, byte(len(payload))}, payload...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{0x80 | opcode, 126}, uint16(len(payload))), payload...)
}

func readMasked(br *bufio.Reader) ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(br, h[:2]); err != nil {
		return nil, err
	}
	n := int(h[1] & 0x7f)
	if h[1]&0x80 == 0 || n == 127 {
		return nil, io.ErrUnexpectedEOF // no client of ours sends that
	}
	if n == 126 {
		if _, err := io.ReadFull(br, h[2:]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(h[2:]))
	}
	p := make([]byte, 4+n)
	if _, err := io.ReadFull(br, p); err != nil {
		return nil, err
	}
	for i := range p[4:] {
		p[4+i] ^= p[i&3]
	}
	return p[4:], nil
}
