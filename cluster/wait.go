package cluster

import (
	"errors"
	"fmt"
	"time"

	"edgechat/codec"
)

// expire fails those that have waited for too long.
func (l *Log) expire() {
	now := time.Now()
	l.failAll(func(p *pending) bool { return now.After(p.until) }, errors.New("the engine has not answered in time"))
}

// requeue puts these back to the front of the queue.
func (l *Log) requeue(list []*pending) {
	if len(list) == 0 {
		return
	}
	l.stats.retried.Add(uint64(len(list)))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(append(make([]*pending, 0, len(list)+len(l.queue)), list...), l.queue...)
	for _, p := range list {
		l.bytes += len(p.item.Record)
	}
	signal(l.work)
}

// await has these wait until they come by the tail, or tells them that they have.
func (l *Log) await(batch []*pending, outcomes []Outcome) {
	var came []*pending
	l.mu.Lock()
	applied := l.applied.Load()
	for i, p := range batch {
		p.as = outcomes[i]
		if position := p.as.Position; CountOf(position) > CountOf(applied) {
			l.waiting[position] = append(l.waiting[position], p)
		} else {
			came = append(came, p)
		}
	}
	l.mu.Unlock()
	signal(l.hurry)
	for _, p := range came {
		l.settled(p)
	}
}

// settled tells of a message that came by the tail.
func (l *Log) settled(p *pending) {
	if p.done.Tell == nil {
		return
	}
	l.mu.Lock()
	void := l.voids[p.as.Position]
	l.mu.Unlock()
	if void { // also for who sends again what had no effect
		p.done.Tell(codec.Receipt{Err: codec.ErrNoTarget})
		return
	}
	if l.isLost(p.as.Position) { // the answer to Append came when the engine had lost it already
		l.lostOne(p)
		return
	}
	id := codec.ID{Epoch: l.store.EpochOf(EpochOf(p.as.Position)), Offset: p.as.Offset}
	switch st := l.state.Load(); {
	case id.Epoch == "":
		p.fail(fmt.Errorf("%w: the epoch of what it was taken as is not known any more", codec.ErrUnavailable))
	case p.done.Early:
		p.done.Tell(codec.Receipt{ID: id})
	case st.Durable:
		p.done.Tell(codec.Receipt{ID: id, Durable: true})
	default:
		if err := l.store.Settle(p.room, id, p.done.Tell); err != nil {
			p.done.Tell(codec.Receipt{ID: id})
		}
	}
}

func (p *pending) fail(err error) {
	if p.done.Tell != nil {
		p.done.Tell(codec.Receipt{Err: err})
	}
}

// failAll fails those that wait, in the queue and for the tail.
func (l *Log) failAll(which func(*pending) bool, err error) {
	var failed []*pending
	l.mu.Lock()
	kept := l.queue[:0]
	for _, p := range l.queue {
		if which(p) {
			failed = append(failed, p)
			l.bytes -= len(p.item.Record)
		} else {
			kept = append(kept, p)
		}
	}
	clear(l.queue[len(kept):])
	l.queue = kept
	for position, list := range l.waiting {
		var left []*pending
		for _, p := range list {
			if which(p) {
				failed = append(failed, p)
			} else {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			delete(l.waiting, position)
		} else {
			l.waiting[position] = left
		}
	}
	l.mu.Unlock()
	for _, p := range failed {
		p.fail(fmt.Errorf("%w: %w", codec.ErrUnavailable, err))
	}
}
