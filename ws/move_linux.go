package ws

import (
	"bytes"
	"net"

	"edgechat/refusal"
	"edgechat/ws/internal/loop"
)

// open answers the handshake and runs Open. head came behind the handshake.
func (d *onLoop) open(head []byte) {
	c := d.c
	c.answer()
	d.inTurn = true
	if err := c.caught(c.h.open); err != nil {
		c.deaf = true
		c.closeFor(err)
	}
	d.inTurn = false
	c.out.Uncork()
	if len(head) > 0 && !c.oneWay {
		d.give(head, nil)
		d.c.out.Flush()
	}
	if d.wants() {
		d.Ready(d)
	}
}

// enter makes d, which has its descriptor, a connection of the router's.
func (d *onLoop) enter() {
	d.c.out.Init(d.c.h.box(), d, true) // the answer to the handshake and the first frames are one write
	d.c.rt.conns.add(d.c)
}

// moveToLoop takes a connection of net/http's to a loop, if it can be there.
func (c *core) moveToLoop(nc net.Conn, head []byte) bool {
	u := underOf(nc)
	if u != nil {
		nc = u.nc
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok || len(c.rt.reactors) == 0 {
		return false
	}
	fd, err := loop.Duplicate(tcp)
	if err != nil {
		return false
	}
	_ = nc.Close() // the duplicate keeps the connection
	d := &onLoop{r: c.rt.nextReactor(), c: c, tls: u}
	d.Hold(fd)
	if u != nil {
		u.nc = nil
		// What TLS has read and net/http has not. Its error comes again with the next read, which comes at the peer's end at the latest.
		more, _, _ := u.unseal(make([]byte, maxOpened), u.head, nil)
		u.head, head = nil, append(head, more...)
		u.giveBack(new(bytes.Buffer))
	}
	d.enter()
	if !d.r.Post(func() { d.arrive(head) }) {
		panic("ws: a loop has ended before its connections") // it is stopped when there is none
	}
	return true
}

// arrive begins what moveToLoop has asked for.
func (d *onLoop) arrive(head []byte) {
	if err := d.r.Watch(d.FD(), d); err != nil {
		d.c.rt.cfg.Logger.Error("no more connections can be watched", "addr", d.c.RemoteAddr(), "err", err)
		if d.tls == nil {
			_, _ = loop.Try(d.FD(), noRoom().Bytes())
		} else {
			_, _, _ = d.tls.try(noRoom().Bytes(), d.send)
		}
		d.closed = true
		d.c.out.Bury(func() { loop.Close(d.FD()) })
		d.c.rt.conns.remove(d.c)
		return
	}
	d.open(head)
}

// noRoom answers a handshake for whose connection the kernel has no memory (epoll_ctl(2), ENOSPC and ENOMEM).
func noRoom() *refusal.Error {
	return refusal.New(refusal.Unavailable, "the server cannot take more connections now, try again soon").With("Retry-After", "5")
}
