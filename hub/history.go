package hub

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"edgechat/codec"
)

// ErrBusy: as many histories wait as may. It is said before anything was read.
var ErrBusy = errors.New("hub: too many histories are being read")

// errGone: messages left the buffer while a history was read.
var errGone = errors.New("hub: messages left the buffer while they were read")

// A History is a part of what a room has said, which is read a piece at a
// time. Close it.
type History struct {
	Head, Oldest codec.ID // newest message of the room, and oldest in the buffer
	Recovered    bool     // nothing is missing
	Count        int      // messages in all pieces

	hub    *Hub
	ctx    context.Context
	reader reader
	only   []codec.Message // all of them, if they are one piece
	closed bool
}

// History finds what answers q: the newest q.Limit messages before q.Before, or after
// q.After, of which one at most may be given; the first after q.After if q.Newest is not set. It waits
// until others have been read, in order, and until ctx ends; or returns ErrBusy.
//
// It reads all of it once, in pieces, to know what there is, and keeps what fits into one.
func (h *Hub) History(ctx context.Context, room string, q codec.Query) (*History, error) {
	if q.After != nil && q.Before != nil {
		return nil, errors.New("hub: a history is after one message or before one, not both")
	}
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	x := &History{hub: h, ctx: ctx}
	if err := x.survey(room, q); err != nil {
		x.Close()
		return nil, fmt.Errorf("hub: history of room %q: %w", room, err)
	}
	h.stats.histories.Add(1)
	return x, nil
}

// enter waits for a place among those who read.
func (h *Hub) enter(ctx context.Context) error {
	select {
	case h.reads <- struct{}{}:
		return nil
	default:
	}
	defer h.queued.Add(-1)
	if h.queued.Add(1) > int64(h.cfg.HistoryQueue) {
		h.stats.busy.Add(1)
		return ErrBusy
	}
	select { // who waits for a channel is served in order
	case h.reads <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close makes room for others. Only the first call does anything.
func (x *History) Close() {
	if !x.closed {
		x.closed = true
		<-x.hub.reads
	}
}

// survey counts, and sees whether anything is missing.
func (x *History) survey(room string, q codec.Query) error {
	var w window
	var failed error
	if err := x.hub.wait(x.ctx, func() { w, failed = x.hub.look(room, q, ^uint64(0)) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	x.Head, x.Oldest, x.Recovered = w.head, w.oldest, w.recovered
	x.reader = x.hub.newReader(room, w)
	begin, pieces := x.reader, 0
	for !x.reader.ended() {
		p, err := x.read()
		if err != nil {
			return err
		}
		x.Recovered = x.Recovered && p.lacks == nothing
		x.Count += len(p.messages)
		x.only = p.messages
		pieces++
	}
	if pieces > 1 {
		begin.step = x.reader.step
		x.reader, x.only = begin, nil
	}
	return nil
}

// A piece is what one loader's work brings.
type piece struct {
	messages []codec.Message
	lacks    missing
	err      error
}

// read has a loader read the next piece: messages of about pageBytes.
func (x *History) read() (piece, error) {
	rd, p := x.reader, new(piece) // a loader may have them still after ctx has ended
	if err := x.hub.wait(x.ctx, func() { p.fill(&rd) }); err != nil {
		return piece{}, err
	}
	x.reader = rd
	return *p, p.err
}

func (p *piece) fill(rd *reader) {
	for size := 0; size < pageBytes && !rd.ended(); {
		some, lacks, err := rd.read(pageBytes - size)
		if p.lacks = max(p.lacks, lacks); err != nil {
			p.err = err
			return
		}
		for i := range some {
			if size > pageBytes {
				rd.unread(&some[i])
				return
			}
			size += sizeOf(&some[i])
			p.messages = append(p.messages, some[i])
		}
	}
}

// Pieces are the messages, oldest first, as many at a time as 64 KiB hold, or one. An error
// is the last: of the context, of the Log, or because messages have left the buffer
// since History had counted them.
func (x *History) Pieces() iter.Seq2[[]codec.Message, error] {
	return func(yield func([]codec.Message, error) bool) {
		if len(x.only) > 0 {
			yield(x.only, nil)
			return
		}
		for left := x.Count; left > 0; {
			p, err := x.read()
			n := len(p.messages)
			if err == nil && (n == 0 || n > left) {
				err = errGone
			}
			if err != nil {
				yield(nil, err)
				return
			}
			left -= n
			if !yield(p.messages, nil) {
				return
			}
		}
	}
}
