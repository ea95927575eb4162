package load

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	edgechat "edgechat/client"
)

// TooLong says that the server takes no content of this size.
type TooLong struct{ Size, Max int }

func (e *TooLong) Error() string {
	return fmt.Sprintf("content of %d bytes is more than the %d that the server takes", e.Size, e.Max)
}

func (r *run) subprotocol() string {
	if r.cfg.MsgPack {
		return "edgechat.v1.msgpack"
	}
	return "edgechat.v1.json"
}

// maxAnswer bounds what is read of the answer to a handshake, the body of a refusal included.
const maxAnswer = 64 << 10

// perSource bounds the connections from one address: the kernel has some 28 000
// ports to give by default (net.ipv4.ip_local_port_range, 32768 to 60999) for each pair of source and
// destination.
const perSource = 20_000

// source is where client i connects from: nil, for the kernel to choose, unless
// there are more clients than one address has ports. All of 127.0.0.0/8 is this machine on Linux.
func (r *run) source(i int) net.Addr {
	to, ok := r.nodeOf(i).target.(*net.TCPAddr)
	if !ok || r.cfg.Clients <= perSource || !to.IP.IsLoopback() || to.IP.To4() == nil {
		return nil
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/perSource%250))}
}

// nodeOf returns where client i connects to: each room has members on all nodes, and its first on another one than the room before.
func (r *run) nodeOf(i int) *node {
	return &r.nodes[(i/r.cfg.Rooms+i%r.cfg.Rooms)%len(r.nodes)]
}

// connect brings client i into its room. The client reads nothing more until start.
func (r *run) connect(ctx context.Context, i int) (_ *client, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.ConnectTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	d := net.Dialer{LocalAddr: r.source(i), KeepAlive: -1}
	to := r.nodeOf(i)
	addr := to.url.Host
	if to.url.Port() == "" {
		addr = net.JoinHostPort(to.url.Hostname(), "80")
	}
	if to.target != nil {
		addr = to.target.String() // where the first client of the node found it
	}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	_ = conn.SetDeadline(deadline)
	// A handshake under way ends when the run does.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	early, err := r.handshake(conn, i)
	if err != nil {
		return nil, err
	}
	c := &client{
		run: r, index: i, room: i % r.cfg.Rooms, conn: conn, shard: &r.shards[i%len(r.shards)],
		tracker: tracker{next: make([]uint32, r.cfg.Publishers)},
		in:      inbox{from: conn, max: r.cfg.MaxFrame, clock: r.now, buf: make([]byte, max(minBuffer, len(early)))},
	}
	c.in.end = copy(c.in.buf, early)
	_, payload, err := c.in.next()
	if err != nil {
		return nil, fmt.Errorf("waiting for the first frame: %w", err)
	}
	f, ok := readFrame(payload, r.cfg.MsgPack, r.cfg.Size)
	if !ok || f.typ != "subscribed" {
		return nil, fmt.Errorf("%w: its first frame is %.80q, not a subscribed", edgechat.ErrNotEdgechat, payload)
	}
	c.maxContent = f.maxContent
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return c, conn.SetDeadline(time.Time{})
}

// handshake does that of RFC 6455 section 4 and returns what came with the answer.
func (r *run) handshake(conn net.Conn, i int) (early []byte, err error) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	to := r.nodeOf(i).url
	var req strings.Builder
	fmt.Fprintf(&req, "GET %s/chat/room/%s?username=%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n",
		strings.TrimSuffix(to.EscapedPath(), "/"), url.PathEscape(r.rooms[i%r.cfg.Rooms].name), username(i), to.Host, key, r.subprotocol())
	if r.cfg.Token != "" {
		fmt.Fprintf(&req, "Authorization: Bearer %s\r\n", r.cfg.Token)
	}
	req.WriteString("\r\n")
	if _, err := io.WriteString(conn, req.String()); err != nil {
		return nil, err
	}
	// Bounded, so that what is no web server does not fill memory.
	br := bufio.NewReaderSize(io.LimitReader(conn, maxAnswer), 1<<10)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, fmt.Errorf("the answer is no HTTP: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, edgechat.RefusalOf(resp)
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	switch got := resp.Header.Get("Sec-WebSocket-Protocol"); {
	case resp.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]):
		return nil, errors.New("the server answered another handshake: Sec-WebSocket-Accept does not fit the key")
	case got != r.subprotocol():
		return nil, fmt.Errorf("%w: it answered subprotocol %q to %s", edgechat.ErrNotEdgechat, got, r.subprotocol())
	}
	early, _ = br.Peek(br.Buffered())
	return early, nil
}

// connectAll connects all clients but the first. It returns when each of them is in its room or refused, or ctx has
// ended. The first client of each node goes ahead of the others, which connect to the address that it has found.
func (r *run) connectAll(ctx context.Context) {
	var firsts, others []int
	seen := map[*node]bool{r.nodeOf(0): true}
	for i := 1; i < r.cfg.Clients; i++ {
		if to := r.nodeOf(i); seen[to] {
			others = append(others, i)
		} else {
			seen[to] = true
			firsts = append(firsts, i)
		}
	}
	r.connectEach(ctx, firsts, func(c *client) {
		r.nodeOf(c.index).target = c.conn.RemoteAddr() // nobody else connects to it yet
		r.start(c)
	})
	r.connectEach(ctx, others, r.start)
}

// connectEach connects clients, some at a time, and hands on those that are in their room.
func (r *run) connectEach(ctx context.Context, list []int, start func(*client)) {
	slots := make(chan struct{}, r.cfg.Connecting)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, i := range list {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			c, err := r.connect(ctx, i)
			switch {
			case err == nil:
				start(c)
			case ctx.Err() == nil: // it was not us who gave up
				r.note(func(n *reasons) { n.refused.add(plainError(err)) })
			}
		})
	}
}

// plainError is the text of an error without the addresses, which differ in
// each: reasons are counted by their text.
func plainError(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}
