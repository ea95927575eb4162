package hub

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A flusher has the members of a room written what is new, by walks over all of
// them. It is a goroutine that exists only while there is something, or work that an event
// loop does at the end of a publisher's turn and of later ones: what is appended until it
// comes to a member goes out together, many frames in one write. It is guarded by room.mu.
//
//	idle:    nothing is new, or whoever holds the flusher starts it when he is done
//	resting: something is new, and a timer is set for when it is to be written
//	running: a walk is under way, or about to begin
//
//	        something new that need not wait          the timer
//	  idle ----------------------------------> running <------ resting
//	   ^ ^                                       |  |             ^
//	   | +--------- the walk ends, nothing new --+  +-------------+
//	   |                                        something new, and a rest is due
//	   +--- (nobody is left) ----------------------------------------
//
// A walk is made in slices, so that an event loop serves others between them. It keeps one
// order: who joins is behind it, who leaves has nobody passed over (see removeLocked).
type flusher struct {
	room  *room
	state flusherState
	held  atomic.Int32 // publishers that will start it; it becomes less under room.mu
	run   func()       // runs a goroutine, as
	turn  func() bool  // slice does in turns: values that are made once

	news news // since the walk began

	// The walk.
	walking bool
	at      int       // how many members it has been to; 0 between walks
	events  bool      // it is for events alone
	burst   bool      // it has several messages for a large room
	began   time.Time // if it is one of these
	oldest  time.Time // since when there was a message for it; zero if there is none

	// Rests.
	rested   time.Time   // when the next walk may be made for events alone
	breathed time.Time   // when the next may be made for messages
	timer    *time.Timer // runs wake; nil before it was needed
	until    time.Time   // for when it is set, while resting
}

type flusherState uint8

const (
	idle flusherState = iota
	resting
	running
)

// news is what the walk has not begun with.
type news struct {
	any      bool
	urgent   bool // it is no event, or too many of them
	messages int
	since    time.Time // when the first of them came
}

const (
	// sliceMembers is how many members a slice of a walk writes: some milliseconds on a board.
	sliceMembers = 256
	// walkBatch is how many are taken from the room at a time.
	walkBatch = 64
	// lookMembers is how many are looked at, at a time, for some that have something to be written.
	lookMembers = 1024
)

func (f *flusher) init(r *room) {
	f.room = r
	f.run, f.turn = f.goOn, f.slice
}

// newsLocked says that something was appended: so many messages, or an event.
func (f *flusher) newsLocked(urgent bool, messages int) {
	f.news.any = true
	f.news.urgent = f.news.urgent || urgent
	if messages > 0 && f.news.messages == 0 {
		f.news.since = time.Now()
	}
	f.news.messages += messages
	if f.held.Load() == 0 && f.startLocked() {
		go f.run()
	}
}

// hold leaves it to the caller, who is about to publish, to start the flusher.
func (f *flusher) hold() { f.held.Add(1) }

// releaseLocked ends hold. It reports whether the caller is to call start.
func (f *flusher) releaseLocked() bool {
	f.held.Add(-1)
	return f.startLocked()
}

// start begins at the end of the caller's turn if he has one, else in a goroutine.
// conn is the caller's, or nil.
func (f *flusher) start(conn Conn) {
	if conn == nil || !conn.Later(f.turn) {
		go f.run()
	}
}

// startLocked reports whether the flusher is to be started, and counts it as
// started.
func (f *flusher) startLocked() bool {
	if f.state == running || !f.dueLocked() {
		return false
	}
	f.state = running
	f.room.hub.wg.Add(1) // wg.Go would allocate, for each message
	return true
}

// goOn makes one walk after the other until none is due. Between slices others run.
func (f *flusher) goOn() {
	for f.slice() {
		runtime.Gosched()
	}
}

// slice goes on with the walk, or begins one. It reports whether there is more to do; if not, the
// flusher has ended.
func (f *flusher) slice() (more bool) {
	var batch [walkBatch]*Member
	for range sliceMembers / walkBatch {
		n, ended := f.next(&batch)
		for _, m := range batch[:n] {
			m.conn.Flush()
		}
		if ended {
			return f.end()
		}
	}
	return true
}

// next returns the next members that have something to be written. ended says
// that they are the last.
func (f *flusher) next(batch *[walkBatch]*Member) (n int, ended bool) {
	r := f.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if !f.walking {
		f.beginLocked()
	}
	for looked := 0; looked < lookMembers && n < walkBatch && f.at < len(r.members); looked++ {
		m := r.members[f.at]
		f.at++
		if m.catchup == nil && m.opening == nil && m.pos != r.logs[m.format].top {
			batch[n] = m
			n++
		}
	}
	return n, f.at >= len(r.members)
}

func (f *flusher) beginLocked() {
	f.walking, f.at = true, 0
	f.room.walkedLocked()
	f.events, f.burst = !f.news.urgent, f.news.messages > 1 && len(f.room.members) >= paceMembers
	if f.events || f.burst {
		f.began = time.Now()
	}
	f.oldest, f.news = f.news.since, news{}
}

// end ends a walk, unless somebody has joined whom it has not been to. What
// all have is forgotten.
func (f *flusher) end() (more bool) {
	r := f.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.at < len(r.members) {
		return true
	}
	f.walking, f.at = false, 0
	if !f.oldest.IsZero() {
		r.hub.stats.delays.Observe(time.Since(f.oldest))
	}
	switch {
	case f.events:
		f.rested = rest(f.began, eventShare, 1, eventPause, eventPauseMax)
	case f.burst:
		f.breathed = rest(f.began, 1, breathPart, 0, breathMax)
	}
	r.forgetLocked()
	f.state = idle
	if f.dueLocked() {
		f.state = running
		return true
	}
	r.hub.wg.Done()
	return false
}
