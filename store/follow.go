package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sort"

	"edgechat/codec"
)

// A store that follows keeps a copy of a log that several nodes share, and numbers nothing by itself. A message has a
// position there, epoch<<40 | count, which ascends and is its sequence here: so the newest sequence says from where the log
// is to be read after a restart. Epochs are those of the log, by the number that a position holds.
//
// No start of a follower opens an epoch, whatever was lost: what the files do not have is read again from the log. If they are of a backup, and the log has
// begun an epoch since, that is a fork for cursors: it may have begun in front of what its holder has seen. Nor is a follower ever
// marked as closed in order, so that a store that leaves the log, and numbers by itself again, begins an epoch of its own.

// ErrNotFollower: the store numbers by itself.
var ErrNotFollower = errors.New("the store follows no log")

// A Positioned is a message, with its ID, and where it stands in the log that is followed.
type Positioned struct {
	Position uint64
	codec.Record
}

// Position returns that of the newest message that was applied, 0 if there was none.
func (s *Store) Position() uint64 { return s.given.Load() }

// EpochOf returns the name of the epoch with this number, "" if it is not known.
func (s *Store) EpochOf(n uint64) string {
	for _, e := range *s.epochs.Load() {
		if e.n == n && n > 0 {
			return e.name
		}
	}
	return ""
}

// Epochs returns the names of those that are known, by their numbers.
func (s *Store) Epochs() map[uint64]string {
	names := make(map[uint64]string)
	for _, e := range *s.epochs.Load() {
		if e.n > 0 {
			names[e.n] = e.name
		}
	}
	return names
}

// Learn notes the name of an epoch that is newer than those that are known, also on disk; else it does nothing. It is called by whoever
// calls Apply.
func (s *Store) Learn(n uint64, name string) {
	es := *s.epochs.Load()
	if n <= es.now().n {
		return
	}
	next := append(slices.Clone(es), epoch{n: n, name: name, forked: s.forks.Load()})
	next = next[max(0, len(next)-maxEpochs):]
	s.epochs.Store(&next)
	s.forks.Store(false)
	s.learnt.Store(true)
	s.signal()
}

// Knows says if there was an epoch of this name.
func (s *Store) Knows(name string) bool {
	_, known := s.epochs.Load().find(name)
	return known
}

// Newest returns the greatest number of an epoch that is known.
func (s *Store) Newest() uint64 { return s.epochs.Load().now().n }

// Settle tells done of a message that was applied, as Apply tells it.
func (s *Store) Settle(room string, id codec.ID, done func(codec.Receipt)) error {
	r, release := s.lookUp(room)
	defer release()
	return s.duplicate(r, id, done)
}

// Apply adds the next message of the log that is followed, and delivers it. It is called by one goroutine, with positions
// that ascend; one that was applied before changes nothing. done, if not nil, is told as Append tells it, by this
// store's disk alone.
//
// An edit of what was deleted before it deletes it again, and so does a second deletion: then the error is
// codec.ErrNoTarget, and done is not told. What is missing in front of the message leaves a hole, of which who is in the room is told by cut.
func (s *Store) Apply(x Positioned, done func(codec.Receipt)) error {
	if !s.cfg.Follow {
		return fmt.Errorf("store: apply: %w", ErrNotFollower)
	}
	m := x.Message
	if x.Room == "" || len(x.Room) > maxRoomName || m.ID.Offset == 0 || x.Position>>epochShift == 0 {
		return fmt.Errorf("store: apply %s of room %.64q at %d: it is no position of a room", m.ID, x.Room, x.Position)
	}
	s.Learn(x.Position>>epochShift, m.ID.Epoch)
	r, made := s.lockRoom(x.Room)
	offset := m.ID.Offset
	if offset <= r.head || x.Position <= s.given.Load() {
		s.given.Store(max(s.given.Load(), x.Position))
		err := s.duplicate(r, m.ID, done)
		r.mu.Unlock()
		return err
	}
	if len(r.starts) == 0 {
		r.head = offset - 1 // the room is new here, and may be old elsewhere
		r.leave(offset)
	} else if offset > r.head+1 {
		s.skipTo(r, offset-1)
		s.trimCount(r)
		if s.cut != nil {
			s.cut(r.name, codec.ID{Epoch: m.ID.Epoch, Offset: r.head})
		}
	}
	a := arrival{
		epoch: epoch{n: x.Position >> epochShift, name: m.ID.Epoch}, seq: x.Position,
		key: x.Key, size: costOf(x.Room, &m, x.Key), made: made, done: done,
	}
	var late error
	if m.Kind != codec.Said {
		if r.revised[m.Target.Offset].deleted {
			late, a.done = codec.ErrNoTarget, nil
			m.Kind, m.Content = codec.Deletion, ""
		}
		if sl := r.carrier(m.Target); sl != nil {
			a.replaces = sl.seq
		} else if m.Target.Offset < r.oldest() { // it left the buffer here, and not where this was taken
			s.purge()
		}
	}
	if x.Key != "" {
		a.hash = maphash.String(s.seed, x.Key)
	}
	a.msg = m
	if err := s.enter(r, &a); err != nil {
		return fmt.Errorf("store: apply to room %q: %w", x.Room, err)
	}
	return late
}

// Find returns the ID of the message of a room that has a key. done, if not nil, is told of it then, as Apply tells it.
func (s *Store) Find(room, key string, done func(codec.Receipt)) (codec.ID, bool) {
	r, release := s.lookUp(room)
	defer release()
	offset, ok := r.keys[maphash.String(s.seed, key)]
	if !ok || key == "" {
		return codec.ID{}, false
	}
	id := codec.ID{Epoch: r.epochAt(offset), Offset: offset}
	return id, s.duplicate(r, id, done) == nil
}

// Admits returns why a message cannot be given to the log that is followed, as Append or Revise would say it; nil if nothing is known.
func (s *Store) Admits(room string, m *codec.Message, claim codec.Claim, key string) error {
	if room == "" || len(room) > maxRoomName {
		return fmt.Errorf("store: append to a room whose name has %d bytes: %w", len(room), ErrRoomName)
	}
	if size := costOf(room, m, key); s.tooLarge(size) {
		return s.refuseSize(room, size)
	}
	if m.Kind == codec.Said {
		return nil
	}
	r, release := s.lookUp(room)
	defer release()
	if _, err := r.revise(m, claim); err != nil {
		return fmt.Errorf("store: change %s of room %q: %w", m.Target, room, err)
	}
	return nil
}

// After returns the messages behind a position, as they are kept, in the order of their positions. Holes are left out.
func (s *Store) After(position uint64) ([]Positioned, error) {
	var list []Positioned
	for _, r := range s.allRooms() {
		r.mu.Lock()
		newest := r.newest
		r.mu.Unlock()
		if newest <= position {
			continue
		}
		records, err := s.roomRecords(r)
		for errors.Is(err, errMoved) {
			records, err = s.roomRecords(r)
		}
		if err != nil {
			return nil, fmt.Errorf("store: room %q behind %d: %w", r.name, position, err)
		}
		for _, x := range records {
			if x.kind == recordPlace {
				continue
			}
			p, err := positioned(x.body)
			if err != nil {
				return nil, fmt.Errorf("store: room %q behind %d: %w", r.name, position, err)
			}
			if p.Position > position {
				list = append(list, p)
			}
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Position < list[j].Position })
	return list, nil
}

// Heads returns the newest offset of each room that is known.
func (s *Store) Heads() map[string]uint64 {
	heads := make(map[string]uint64)
	for _, r := range s.allRooms() {
		r.mu.Lock()
		if r.head > 0 {
			heads[r.name] = r.head
		}
		r.mu.Unlock()
	}
	return heads
}
