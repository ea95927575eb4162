package hub

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/codec"
)

// A modelRoom is what the world knows of a room.
type modelRoom struct {
	name      string
	place     int           // in world.rooms
	events    [2]uint64     // announced so far, by format; guarded by the room's lock
	delivered atomic.Uint64 // offset of the last message that the room has

	mu  sync.Mutex
	all []string // what was said, by offset-1
}

func (r *modelRoom) said(offset uint64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if offset-1 >= uint64(len(r.all)) {
		return "nothing"
	}
	return r.all[offset-1]
}

func (r *modelRoom) note(content string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, content)
}

// A truth is a plainLog that never forgets what was said.
type truth struct {
	*plainLog
	room func(name string) *modelRoom
	late chan said // nil: it delivers from within Append
	pass func(said)
}

// said is a message, and where.
type said struct {
	room string
	codec.Message
}

// Deliver has the truth noted first.
func (l *truth) Deliver(f func(string, *codec.Message), cut func(string, codec.ID)) {
	l.pass = func(s said) {
		f(s.room, &s.Message)
		l.room(s.room).delivered.Store(s.ID.Offset)
	}
	l.plainLog.Deliver(func(room string, m *codec.Message) {
		l.room(room).note(m.Content)
		if s := (said{room, *m}); l.late == nil {
			l.pass(s)
		} else {
			l.late <- s
		}
	}, cut)
}

// deliverLate delivers what Append has left, now and then after a while.
func (l *truth) deliverLate() {
	for s := range l.late {
		if rand.IntN(4) == 0 {
			time.Sleep(rand.N(time.Millisecond))
		}
		l.pass(s)
	}
}
