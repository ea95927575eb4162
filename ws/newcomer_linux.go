package ws

import (
	"bytes"
	"net/netip"
	"syscall"

	"edgechat/limit"
	"edgechat/ws/internal/frame"
	"edgechat/ws/internal/loop"
)

// A newcomer was accepted and has said nothing yet.
type newcomer struct {
	loop.Node
	r      *reactor
	door   *door
	peer   netip.AddrPort
	source limit.Addr // has entered the census
}

// Serve reads the first bytes: who asks for a WebSocket stays on the loop.
func (n *newcomer) Serve(events loop.Events) (more bool) {
	if events&^loop.Writable == 0 || !n.door.rt.lobby.claim(n) {
		return false
	}
	defer n.door.claimed.Done()
	got, errno := loop.Read(n.FD(), n.r.input[:])
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR: // urgent data alone, for one
		n.handOn(nil)
	case errno != 0 || got == 0:
		n.drop()
	default:
		if got < inputSize {
			events &^= loop.Readable // it was read to its end
		}
		p := bytes.Clone(n.r.input[:got])
		if head := frame.HeadLen(p); n.door.sealed || head == 0 || !n.r.serveHead(n, p, head, events) {
			n.handOn(p)
		}
	}
	return false
}

// handOn gives the newcomer to net/http, with what it has said.
func (n *newcomer) handOn(head []byte) {
	n.r.Unwatch(n)
	n.door.hand(handed{n.FD(), head, n.source})
}

// drop ends it, on its loop.
func (n *newcomer) drop() {
	n.r.Forget(n)
	loop.Close(n.FD())
	n.r.rt.census.leave(n.source)
}

// patience is none for one that has a descriptor of the reserve: there the silent make room for others.
func (n *newcomer) patience() uint32 {
	if n.r.rt.reserve.crowded(n.FD()) {
		return 0
	}
	return patience
}

func (n *newcomer) expire() {
	if rt := n.r.rt; rt.reserve.crowded(n.FD()) && !rt.stopping.Load() {
		n.r.Unwatch(n)
		loop.Close(n.FD())
		rt.census.leave(n.source)
		return
	}
	n.handOn(nil)
}

// A refused is somebody whose handshake was answered with no. What he still sends is dropped,
// so that it does not turn the answer into a reset, until he hangs up.
type refused struct {
	loop.Node
	r     *reactor
	over  func() // it has ended
	scrap int
}

// refuse answers n, and waits for him to hang up.
func (r *reactor) refuse(n *newcomer, answer []byte) {
	f := &refused{r: r, over: func() { r.rt.census.leave(n.source) }}
	_ = r.rt.lobby.enter(f, r.rt.tick.Load(), func() error { r.Become(n, f); return nil })
	f.answer(answer)
}

// answer is the last that f gets.
func (f *refused) answer(answer []byte) {
	k, err := loop.Try(f.FD(), answer)
	if err != nil || k < len(answer) { // no more than that fits the buffer of a new connection
		f.drop()
		return
	}
	loop.HangUp(f.FD())
	f.Ready(f)
}

func (f *refused) Serve(loop.Events) (more bool) {
	n, errno := loop.Read(f.FD(), f.r.input[:])
	switch f.scrap += n; {
	case errno == syscall.EAGAIN:
		return false
	case errno == syscall.EINTR:
		return true
	case errno != 0 || n == 0 || f.scrap > maxScrap:
		f.drop()
		return false
	}
	return true
}

func (f *refused) drop() {
	f.r.rt.lobby.claim(f) // the sweeper may have cut it
	f.r.Forget(f)
	loop.Close(f.FD())
	f.over()
}

func (f *refused) patience() uint32 { return farewell }
func (f *refused) expire()          { loop.CutOff(f.FD()) }
