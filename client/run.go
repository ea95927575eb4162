package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// steady is how long a connection has to have lived for the back-off to begin anew.
const steady = 5 * time.Second

// run has one connection after the other, until the Room is left or refused for good.
func (r *Room) run() {
	defer close(r.done)
	defer r.abandon()
	for {
		r.entered = time.Time{}
		err := r.once()
		if r.over() {
			return
		}
		r.lost = err
		refusal, refused := errors.AsType[*Refusal](err)
		if r.ends(err) {
			r.err = err
			return
		}
		// Who says that he restarts is not at fault, however often.
		if !r.entered.IsZero() && (time.Since(r.entered) > steady || refused && refusal.Close == closeRestart) {
			r.attempt = 0
		}
		var wait time.Duration
		if r.moves(err) && r.places.next() {
			wait = rand.N(r.cfg.BackoffMin)
		} else if wait = r.backoff(); refused && refusal.RetryAfter > 0 { // which many others were told, too
			wait = max(wait, refusal.RetryAfter+rand.N(refusal.RetryAfter/4+r.cfg.BackoffMin))
		}
		if r.cfg.OnLost != nil {
			r.cfg.OnLost(err, wait)
		}
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
			return
		}
	}
}

// ends reports whether err is the last word. Where we were in before, only the server has one: what a proxy or the page of a Wi-Fi
// answers in its place, and its certificate, will be another one day. Other nodes have none on a way in.
func (r *Room) ends(err error) bool {
	if untrusted(err) {
		return r.neverIn()
	}
	home := r.places.now() == r.places.home
	if errors.Is(err, ErrNotEdgechat) {
		return home && r.neverIn()
	}
	no, ok := errors.AsType[*Refusal](err)
	if !ok || !no.final() {
		return false
	}
	return no.Close != 0 || home && (no.Code != "" || no.Status == http.StatusUnauthorized || no.Status == http.StatusForbidden || r.neverIn())
}

// over reports whether ctx has ended. What a dial says at its deadline, which may be a moment before that ctx does, is no reason why the server is not there.
func (r *Room) over() bool {
	if end, ok := r.ctx.Deadline(); ok && !time.Now().Before(end) {
		<-r.ctx.Done()
	}
	return r.ctx.Err() != nil
}

// backoff is how long to wait now. It is random, so that a thousand clients of a server that
// restarts come back spread out.
func (r *Room) backoff() time.Duration {
	most := r.cfg.BackoffMin
	for i := 0; i <= r.attempt && most < r.cfg.BackoffMax; i++ {
		most *= 2
	}
	r.attempt++
	return max(r.cfg.BackoffMin, rand.N(min(most, r.cfg.BackoffMax)+1))
}

// once has one connection, from the handshake to its end, and says why it ended.
func (r *Room) once() error {
	ctx, cancel := context.WithTimeout(r.ctx, handshakeTimeout)
	l, err := r.connect(ctx)
	cancel()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(r.ctx, func() {
		l.ending.Store(true)
		_ = l.Conn.SetWriteDeadline(time.Now().Add(closeTimeout)) // of a frame that is stuck
		_ = l.socket.WriteClose(1000, nil)                        // which closes the connection, too
	})
	defer stop()
	var tending sync.WaitGroup
	tending.Go(func() { r.tend(l) }) // ends when l is over
	err = l.read()
	tending.Wait()

	r.mu.Lock()
	defer r.mu.Unlock()
	r.line, r.hold = nil, time.Time{}
	// The longest of these is what the server could not read. Sent again, it would close the next connection as well. If another
	// was, it is the next one's turn.
	if e, ok := errors.AsType[*Refusal](err); ok && (e.Close == closeInvalid || e.Close == closeTooBig) {
		var longest *entry
		for _, p := range r.pending {
			if p.sent && (longest == nil || len(p.text) > len(longest.text)) {
				longest = p
			}
		}
		if longest != nil {
			longest.finish(Ack{}, e)
			r.drop(longest)
		}
	}
	for _, p := range r.pending {
		p.sent = false
	}
	r.await()
	return err
}

// tend writes to a connection, and ends it once it is dead.
func (r *Room) tend(l *line) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		send, wait, err := r.next(l)
		if err == nil && send != nil {
			if err = l.text(send); err == nil {
				continue
			}
		}
		if err != nil {
			l.cut(err)
			return
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-r.wake:
		case <-l.over:
			return
		}
	}
}

// next returns what is to be sent now, or how long nothing is unless the Room is woken. An error says that the
// line is dead.
func (r *Room) next(l *line) (send []byte, wait time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	wait = handshakeTimeout
	interval := handshakeTimeout
	if r.line == l {
		interval = r.info.PingInterval
		if left := r.hold.Sub(now); left > 0 {
			wait = left
		} else if send = r.take(now); send != nil {
			return send, 0, nil
		}
	}
	if l.full.Load() {
		return nil, time.Second, nil // what the line does is not seen
	}
	if !r.since.IsZero() {
		left := r.since.Add(r.cfg.AckTimeout).Sub(now)
		if left <= 0 {
			return nil, 0, fmt.Errorf("client: no acknowledgement for %v", r.cfg.AckTimeout)
		}
		wait = min(wait, left)
	}
	heard, at := time.Duration(l.heard.Load()), l.now()
	if heard >= l.asked {
		l.asked = 0
	}
	switch {
	case l.asked != 0 && at-l.asked >= pongTimeout:
		return nil, 0, fmt.Errorf("client: nothing was heard for %v, and a ping had no answer", (at - heard).Round(time.Second))
	case l.asked != 0:
		wait = min(wait, l.asked+pongTimeout-at)
	case at-heard < interval:
		wait = min(wait, heard+interval-at)
	case r.line != l:
		return nil, 0, fmt.Errorf("client: not in the room after %v", interval)
	default:
		l.asked = at
		return []byte(`{"type":"ping"}`), 0, nil
	}
	return nil, wait, nil
}

// receive handles one frame. An error ends the connection.
func (r *Room) receive(l *line, p []byte) error {
	var f frame
	if err := json.Unmarshal(p, &f); err != nil || f.Type == "" {
		return fmt.Errorf("%w: it sends %.80q", ErrNotEdgechat, p)
	}
	if r.Subscribed().Room == "" && f.Type != Entered && f.Type != "error" {
		return fmt.Errorf("%w: its first frame is %.80q", ErrNotEdgechat, p)
	}
	switch f.Type {
	case Entered:
		r.enter(l, &f, p)
	case Message, Edited, Deleted:
		if r.seen.add(f.ID) {
			r.emit(l, &f, p)
		}
		r.cursor = f.ID
	case "ack":
		r.settle(f.Key, Ack{ID: f.ID, Offset: f.Offset, Durable: f.Durable})
	case "error":
		return r.refused(&f)
	case "pong":
	default:
		r.emit(l, &f, p)
	}
	return nil
}

func (r *Room) enter(l *line, f *frame, p []byte) {
	interval := time.Duration(f.PingIntervalMs) * time.Millisecond
	if interval <= 0 {
		interval = handshakeTimeout
	}
	r.mu.Lock()
	first := r.info.Room == ""
	r.line = l
	r.info = Subscribed{Room: f.Room, Username: f.Username, Verified: f.Verified, Access: f.Access, Refused: f.Refused, Members: f.Members, MaxContentBytes: f.MaxContentBytes,
		PingInterval: interval, ID: f.ID, Offset: f.Offset, Oldest: f.Oldest}
	r.mu.Unlock()
	r.head, r.entered = f.Offset, time.Now()
	r.places.meet(f.Nodes)
	if first {
		close(r.joined)
	}
	r.emit(l, &frame{Type: Entered, Username: f.Username, Verified: f.Verified}, p) // its ID is no message that was handed out
	if f.WasRecovering && !f.Recovered {
		gap, _ := json.Marshal(struct { // strings always encode
			Type   string `json:"type"`
			Since  string `json:"since,omitempty"`
			Oldest string `json:"oldest,omitempty"`
		}{Gap, r.cursor, f.Oldest})
		r.emit(l, &frame{Type: Gap}, gap)
	}
	if r.cursor == "" || f.Oldest == "" {
		// A replay moves the cursor. Where there is none, the room's end is where we stand.
		r.cursor = f.ID
	}
	r.poke()
}

// emit hands an event to who reads Events, and waits for room in their queue.
func (r *Room) emit(l *line, f *frame, p []byte) {
	if r.cfg.WriteOnly {
		return
	}
	e := Event{Type: f.Type, Username: f.Username, Content: f.Content, Time: f.Timestamp, ID: f.ID, Offset: f.Offset, Target: f.Target,
		Live: f.ID == "" || f.Offset > r.head, Edited: f.Edited, Deleted: f.Deleted, Verified: f.Verified}
	e.Raw = append(e.Raw, p...)
	select {
	case r.events <- e:
		return
	default:
	}
	l.full.Store(true)
	select {
	case r.events <- e:
	case <-r.ctx.Done():
	}
	// What came meanwhile was not read: the clocks of a dead line begin now.
	l.heard.Store(int64(l.now()))
	r.mu.Lock()
	for _, p := range r.pending {
		p.at = time.Now()
	}
	r.await()
	r.mu.Unlock()
	l.full.Store(false)
}

// poke wakes tend.
func (r *Room) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// neverIn reports whether no connection has entered the room so far.
func (r *Room) neverIn() bool {
	select {
	case <-r.joined:
		return false
	default:
		return true
	}
}

// untrusted reports whether err is about the server's certificate. Who was in the room before waits for its mend.
func untrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}
