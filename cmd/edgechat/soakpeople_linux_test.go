package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"edgechat/internal/edgetest"
)

// dial joins a room. A server that is busy may be late, and then nobody is there.
func (s *soakTest) dial(room, query string, headers ...string) net.Conn {
	conn, err := net.DialTimeout("tcp", s.b.addr, 10*time.Second)
	if err != nil {
		return nil
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	u := &url.URL{Scheme: "ws", Host: s.b.addr, Path: "/chat/room/" + room, RawQuery: "username=soak&" + query}
	if _, err := io.WriteString(conn, edgetest.Handshake(u, headers...)); err == nil {
		if head, err := readHead(conn); err == nil && len(head) > 12 && head[9:12] == "101" {
			return conn
		}
	}
	conn.Close()
	return nil
}

// churn joins one of many rooms, says something, and goes, in order or not.
func (s *soakTest) churn(ctx context.Context) {
	conn := s.dial(fmt.Sprintf("room-%d", rand.N(100)), "since=all&limit=20")
	if conn == nil {
		rest(ctx, time.Second)
		return
	}
	defer conn.Close()
	for range rand.N(4) {
		_, _ = conn.Write(edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"hello"}`)))
	}
	rest(ctx, 50*time.Millisecond)
	if rand.N(2) == 0 {
		s.did.cut.Add(1)
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset
		return
	}
	_, _ = conn.Write(edgetest.Frame(edgetest.OpClose, []byte{3, 232}))
	_, _ = io.Copy(io.Discard, conn) // until the server has closed
	s.did.churned.Add(1)
}

// publish posts and waits for what becomes of it.
func (s *soakTest) publish(ctx context.Context) {
	room := fmt.Sprintf("busy-%d", rand.N(4))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.b.addr+"/chat/room/"+room+"/messages?username=x", &filled{left: 10 + rand.Int64N(2000)})
	if err != nil {
		return
	}
	resp, err := patient.Do(req)
	if err != nil {
		rest(ctx, 100*time.Millisecond)
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	switch resp.StatusCode {
	case http.StatusCreated:
		s.did.acked.Add(1)
	case http.StatusAccepted:
		s.did.unacked.Add(1)
	}
	rest(ctx, 20*time.Millisecond)
}

// filled is a text of so many bytes.
type filled struct{ left int64 }

func (f *filled) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n := min(f.left, int64(len(p)))
	for i := range p[:n] {
		p[i] = 'x'
	}
	f.left -= n
	return int(n), nil
}

// readSlowly is in a busy room and takes little of it, or nothing.
func (s *soakTest) readSlowly(ctx context.Context) {
	conn := s.dial(fmt.Sprintf("busy-%d", rand.N(4)), "since=all&limit=20")
	if conn == nil {
		rest(ctx, time.Second)
		return
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	s.did.slow.Add(1)
	end := time.Now().Add(rand.N(15 * time.Second))
	silent := rand.N(2) == 0
	for ctx.Err() == nil && time.Now().Before(end) {
		rest(ctx, 100*time.Millisecond)
		if silent {
			continue
		}
		if _, err := io.CopyN(io.Discard, conn, 500); err != nil {
			return
		}
	}
}

// herd is a hundred who come together, stay for a while, and are gone at once.
func (s *soakTest) herd(ctx context.Context) {
	conns := make([]net.Conn, 100)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { conns[i] = s.dial("herd", "since=all&limit=20") })
	}
	wg.Wait()
	rest(ctx, 10*time.Second)
	for _, conn := range conns {
		if conn != nil {
			conn.Close()
		}
	}
	s.did.herds.Add(1)
}

// restart is a client that is started again and again, and each time goes on from the newest message that it has had: it is
// given what comes next, or is told that some are missing.
func (s *soakTest) restart(ctx context.Context) {
	room, cursor := fmt.Sprintf("busy-%d", rand.N(4)), ""
	for range 5 {
		since := "since=all"
		if cursor != "" {
			since = "since=" + cursor
		}
		conn := s.dial(room, since, "Sec-WebSocket-Protocol: edgechat.v1.json")
		if conn == nil {
			rest(ctx, time.Second)
			continue
		}
		if seen := s.follow(conn, cursor); seen != "" {
			cursor = seen
		}
		if rand.N(2) == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0) // it crashed
		}
		conn.Close()
		if rest(ctx, time.Second); ctx.Err() != nil {
			return
		}
	}
}

// follow reads some messages from cursor on, and returns the newest.
func (s *soakTest) follow(conn net.Conn, cursor string) (newest string) {
	c := edgetest.NewClient(s.t, conn)
	c.Timeout = 20 * time.Second
	recovered := false
	for had := 0; had < 20; {
		op, p, err := c.Read()
		if err != nil {
			return newest
		}
		if op != edgetest.OpText {
			continue
		}
		m, err := decode(p)
		switch {
		case err != nil:
			s.t.Errorf("%s: %v", p, err)
			return newest
		case m.Type == "subscribed" && cursor != "":
			if recovered = m.Recovered; recovered {
				s.did.recovered.Add(1)
			} else {
				s.did.gaps.Add(1)
			}
		case m.Type == "message":
			if recovered && had == 0 && epochOf(m.ID) == epochOf(cursor) && m.Offset != offsetOf(cursor)+1 {
				s.t.Errorf("came back with %s, was recovered, and is given %s first", cursor, m.ID)
			}
			newest = m.ID
			had++
		}
	}
	return newest
}
