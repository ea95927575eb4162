package store

import (
	"container/heap"
	"fmt"
	"hash/maphash"

	"edgechat/codec"
)

// Deliver names the function that sees every message, in the order of offsets
// within a room and one at a time within a room. It is called from within Append, with
// the lock of the room: it must not block, call the store, or take a lock under which
// the store is called. It must not change the message, which it may keep. Call
// Deliver once, before any Append. A store that numbers by itself never goes back: only one that
// follows another log cuts a room, where messages of it are missing.
func (s *Store) Deliver(deliver func(room string, m *codec.Message), cut func(room string, head codec.ID)) {
	s.deliver, s.cut = deliver, cut
}

// Append gives m the next offset of room and delivers it,
// without waiting for the disk; m.ID is ignored. Rooms are created by it.
//
// While a message of this room with the same non-empty key is in the buffer,
// nothing is appended or delivered and the receipt is that of the original. Keys are
// compared by a 64-bit hash with a secret seed: two keys of a room of 200
// messages are taken for one with a chance of 1e-17.
//
// done.Tell, if not nil, is called once and must not block: before Append returns if done is
// Early; else from another goroutine,
// with Durable true once the message (or the original) is on disk, or has left
// the buffer and what displaced it is on disk; with Durable false at once if the
// store is degraded, if the commit fails, or if MaxWaiting wait already, and always if the disk is
// memory (see Warning).
//
// The error is ErrClosed, ErrRoomName or ErrTooLarge; nothing was appended then.
func (s *Store) Append(name string, m codec.Message, key string, done codec.Done) error {
	return s.tell(name, said(m), codec.Claim{}, key, done)
}

// said is m as a message that changes no other.
func said(m codec.Message) codec.Message {
	m.Kind, m.Target, m.Edited, m.Deleted = codec.Said, codec.ID{}, false, false
	return m
}

// tell is put for a done of either kind.
func (s *Store) tell(name string, m codec.Message, claim codec.Claim, key string, done codec.Done) error {
	if !done.Early {
		_, err := s.put(name, m, claim, key, done.Tell)
		return err
	}
	id, err := s.put(name, m, claim, key, nil)
	if err == nil && done.Tell != nil {
		done.Tell(codec.Receipt{ID: id})
	}
	return err
}

// put appends a message, or a revision if claim covers what it changes.
func (s *Store) put(name string, m codec.Message, claim codec.Claim, key string, done func(codec.Receipt)) (codec.ID, error) {
	if name == "" || len(name) > maxRoomName {
		return codec.ID{}, fmt.Errorf("store: append to a room whose name has %d bytes: %w", len(name), ErrRoomName)
	}
	size := costOf(name, &m, key)
	if s.tooLarge(size) {
		return codec.ID{}, s.refuseSize(name, size)
	}
	var hash uint64
	if key != "" {
		hash = maphash.String(s.seed, key)
	}
	if m.Kind != codec.Said && !s.has(name) { // else it would be made
		return codec.ID{}, fmt.Errorf("store: change %s of room %q: %w", m.Target, name, codec.ErrNoTarget)
	}
	r, made := s.lockRoom(name)
	if key != "" {
		if offset, ok := r.keys[hash]; ok {
			id := codec.ID{Epoch: r.epochAt(offset), Offset: offset}
			err := s.duplicate(r, id, done)
			r.mu.Unlock()
			if err != nil {
				return codec.ID{}, fmt.Errorf("store: append to room %q: %w", name, err)
			}
			return id, nil
		}
	}
	replaces, err := r.revise(&m, claim)
	if err != nil {
		r.mu.Unlock()
		return codec.ID{}, fmt.Errorf("store: change %s of room %q: %w", m.Target, name, err)
	}
	e := s.epochs.Load().now()
	m.ID = codec.ID{Epoch: e.name, Offset: r.head + 1}
	a := arrival{epoch: e, msg: m, key: key, hash: hash, size: size, replaces: replaces, made: made, done: done}
	if err := s.enter(r, &a); err != nil {
		return codec.ID{}, fmt.Errorf("store: append to room %q: %w", name, err)
	}
	return m.ID, nil
}

func (s *Store) tooLarge(size int64) bool {
	return size > s.cfg.HistoryBytes/2 || size > s.cfg.LogBytes/4
}

func (s *Store) refuseSize(name string, size int64) error {
	return fmt.Errorf("store: append to room %q: %w: it takes %d bytes, the buffer holds %d (HistoryBytes) and the log %d (LogBytes)",
		name, ErrTooLarge, size, s.cfg.HistoryBytes, s.cfg.LogBytes)
}

// An arrival is a message that has its number, and is about to be added to its room.
type arrival struct {
	epoch    epoch
	seq      uint64 // 0: the next
	msg      codec.Message
	key      string
	hash     uint64 // of key
	size     int64
	replaces uint64 // see entry
	made     bool   // the room was, for this
	done     func(codec.Receipt)
}

// enter adds a to r, which is locked, delivers it, and makes room for it in the buffer. It unlocks r.
func (s *Store) enter(r *room, a *arrival) error {
	// The queue first: it is what refuses once the store is closed. The committer
	// may write the entry before the room knows it, but needs r.mu to say so.
	entry, err := s.enqueue(r, a)
	if err != nil {
		r.mu.Unlock()
		return err
	}
	s.supersede(r, &entry.msg)
	r.add(a.epoch, entry.seq, &entry.msg, entry.cost)
	r.pending.push(entry)
	if a.key != "" {
		r.remember(a.hash)
	}
	bytes := s.bytes.Add(a.size)
	s.trimCount(r)
	outgrown := r.outgrown()
	r.ranked = true
	if s.deliver != nil {
		s.deliver(r.name, &entry.msg)
	}
	r.mu.Unlock()

	if a.made {
		s.limitRooms()
	}
	if outgrown {
		s.rank(r)
	}
	if bytes > s.cfg.HistoryBytes {
		s.trimTo(s.cfg.HistoryBytes)
	}
	return nil
}

// duplicate settles the receipt of a message whose key is known. The caller
// holds r.mu, so that the committer cannot pass in between.
func (s *Store) duplicate(r *room, id codec.ID, done func(codec.Receipt)) error {
	s.count.duplicates.Add(1)
	e := r.waiting(id.Offset)
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	switch {
	case s.closed.Load():
		return ErrClosed
	case done == nil:
	case e != nil && e.seq > s.settled:
		s.awaitLocked(e.seq, id, done)
	default:
		s.receipts.add(receipt{done, codec.Receipt{ID: id, Durable: s.volatile == ""}})
	}
	return nil
}

// costOf is what a message counts of Config.HistoryBytes.
func costOf(name string, m *codec.Message, key string) int64 {
	return int64(messageCost + len(name) + len(m.Username) + len(m.Content) + len(key))
}

// costOfRoom is what a room counts of Config.HistoryBytes, besides its messages.
func costOfRoom(name string) int64 { return int64(roomCost + len(name)) }

// lockRoom returns the room of that name, locked; a new one if there is none.
func (s *Store) lockRoom(name string) (r *room, made bool) {
	for {
		s.roomsMu.RLock()
		r = s.rooms[name]
		s.roomsMu.RUnlock()
		made = r == nil
		if made {
			s.trimMu.Lock()
			s.roomsMu.Lock()
			if r = s.rooms[name]; r == nil {
				r = s.addRoom(name, s.floor)
			}
			s.roomsMu.Unlock()
			s.trimMu.Unlock()
		}
		r.mu.Lock()
		if !r.gone.Load() {
			return r, made
		}
		r.mu.Unlock()
	}
}

// addRoom makes a room whose numbers begin behind floor. The caller holds trimMu and roomsMu, or has the
// store to himself.
func (s *Store) addRoom(name string, floor uint64) *room {
	r := &room{name: name, head: floor, newest: s.given.Load()}
	s.rooms[name] = r
	s.bytes.Add(costOfRoom(name))
	heap.Push(&s.silent, silence{r.newest, r})
	return r
}

// unusedRoom stands for all rooms that were never used. Nobody changes it.
func (s *Store) unusedRoom(floor uint64) *room {
	r := s.unused.Load()
	if r == nil || r.head != floor {
		r = &room{head: floor}
		s.unused.Store(r)
	}
	return r
}

// lookUp returns the room of that name, locked, or one that stands for a room
// that was never used, and has no name. The caller releases it.
func (s *Store) lookUp(name string) (r *room, release func()) {
	for {
		s.roomsMu.RLock()
		r, floor := s.rooms[name], s.floor
		s.roomsMu.RUnlock()
		if r == nil {
			return s.unusedRoom(floor), func() {}
		}
		r.mu.Lock()
		if !r.gone.Load() {
			return r, r.mu.Unlock
		}
		r.mu.Unlock()
	}
}
