package cluster

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"edgechat/codec"
)

// A pending is a message that waits for the engine, or for the tail.
type pending struct {
	room  string
	key   string // as the sender gave it
	item  Item
	done  codec.Done
	until time.Time // when it is given up
	as    Outcome   // what the engine has said
	owed  bool      // it was taken back, see owed.go
}

const (
	mostItems = 512     // of a batch
	mostBytes = 1 << 20 // of a batch, about
	// gather is how long messages are gathered for a batch. An engine that takes longer for one is left alone for half as long, up to gatherMost: several
	// nodes that have it take batch after batch have it do little with each, and wait for each other.
	gather     = 3 * time.Millisecond
	gatherMost = 20 * time.Millisecond
)

// Append is that of hub.Log.
func (l *Log) Append(room string, m codec.Message, key string, done codec.Done) error {
	m.Kind, m.Target, m.Edited, m.Deleted = codec.Said, codec.ID{}, false, false
	return l.put(room, m, codec.Claim{}, key, done)
}

// Revise is that of hub.Log.
func (l *Log) Revise(room string, m codec.Message, claim codec.Claim, key string, done codec.Done) error {
	m.Author, m.Edited, m.Deleted = 0, false, false
	if m.Kind == codec.Deletion {
		m.Content = ""
	}
	return l.put(room, m, claim, key, done)
}

func (l *Log) put(room string, m codec.Message, claim codec.Claim, key string, done codec.Done) error {
	if key != "" { // also a revision whose target is gone since
		if l.settleKnown(room, key, done) {
			l.stats.duplicates.Add(1)
			return nil
		}
	}
	if err := l.store.Admits(room, &m, claim, key); err != nil {
		return err
	}
	if t := l.trouble.Load(); t != nil {
		return fmt.Errorf("%w: %w", codec.ErrUnavailable, t.err)
	}
	m.ID = codec.ID{}
	p := &pending{room: room, key: key, done: done, until: time.Now().Add(l.cfg.Patience)}
	p.item = Item{Room: room, Record: codec.AppendRecord(nil, &codec.Record{Room: room, Message: m, Key: key})}
	if key != "" {
		p.item.Key = HashOf(room, key)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("%w: the server stops", codec.ErrUnavailable)
	}
	if l.bytes+len(p.item.Record) > l.cfg.QueueBytes {
		l.stats.refused.Add(1)
		return fmt.Errorf("%w: messages come faster than the engine takes them", codec.ErrUnavailable)
	}
	l.queue = append(l.queue, p)
	l.bytes += len(p.item.Record)
	signal(l.work)
	return nil
}

// settleKnown tells done of the message that has a key, if this node has it.
func (l *Log) settleKnown(room, key string, done codec.Done) bool {
	if done.Early || done.Tell == nil {
		id, ok := l.store.Find(room, key, nil)
		if ok && done.Tell != nil {
			done.Tell(codec.Receipt{ID: id})
		}
		return ok
	}
	if st := l.state.Load(); st != nil && st.Durable {
		id, ok := l.store.Find(room, key, nil)
		if ok {
			done.Tell(codec.Receipt{ID: id, Durable: true})
		}
		return ok
	}
	_, ok := l.store.Find(room, key, done.Tell)
	return ok
}

// write is the writer.
func (l *Log) write() {
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.work:
		}
		rest := gather
		for l.trouble.Load() == nil && l.ctx.Err() == nil {
			if !l.full() && !l.sleep(rest) {
				return
			}
			batch := l.take()
			if len(batch) == 0 {
				break
			}
			if batch = l.unknown(batch); len(batch) == 0 {
				continue
			}
			began := time.Now()
			l.appendBatch(batch)
			rest = min(max(gather, time.Since(began)/2), gatherMost)
		}
	}
}

// full says that there is a batch that cannot become larger.
func (l *Log) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) >= mostItems || l.bytes >= mostBytes
}

// take takes the oldest of the queue.
func (l *Log) take() []*pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, bytes := 0, 0
	for n < len(l.queue) && n < mostItems && bytes < mostBytes {
		bytes += len(l.queue[n].item.Record)
		n++
	}
	batch := append([]*pending(nil), l.queue[:n]...)
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
	l.bytes -= bytes
	return batch
}

// unknown leaves out what is owed and is there already: this node did not hear of it before it ended, and the engine has forgotten the key.
func (l *Log) unknown(batch []*pending) []*pending {
	kept := batch[:0]
	for _, p := range batch {
		if !p.owed || !l.settleKnown(p.room, p.key, p.done) {
			kept = append(kept, p)
		}
	}
	return kept
}

func (l *Log) appendBatch(batch []*pending) {
	st := l.state.Load()
	items := make([]Item, len(batch))
	for i, p := range batch {
		items[i] = p.item
	}
	began := time.Now()
	outcomes, err := l.engine.Append(l.ctx, st.Run, l.least(), items)
	l.stats.batches.Add(1)
	if err == nil && len(outcomes) != len(batch) {
		err = fmt.Errorf("the engine has told of %d of %d messages", len(outcomes), len(batch))
	}
	if err == nil {
		l.stats.appended.Add(uint64(len(batch)))
		l.stats.appendTimes.Observe(time.Since(began))
		l.await(batch, outcomes)
		return
	}
	l.stats.failures.Add(1)
	l.troubled(err)
	if errors.Is(err, ErrUnverified) {
		l.doubted.Store(true)
	}
	// Whether they were added is not known, save where the engine said so. Under a key that does not matter.
	certain := errors.Is(err, ErrUnverified) || errors.Is(err, ErrRefused)
	var again, lost []*pending
	for _, p := range batch {
		if p.item.Key != "" || certain {
			again = append(again, p)
		} else {
			lost = append(lost, p)
		}
	}
	l.requeue(again)
	for _, p := range lost {
		p.fail(fmt.Errorf("%w: whether it was taken is not known: %w", codec.ErrUnavailable, err))
	}
}

// least is what the log has at least, as far as this node knows: one that ends in front of it would give positions again.
func (l *Log) least() uint64 {
	position := l.applied.Load()
	return PositionOf(max(EpochOf(position), l.store.Newest()), CountOf(position))
}

// HashOf is what the engine knows of a key.
func HashOf(room, key string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s%s", len(room), room, key))
	return string(sum[:16])
}
