package store

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

// maxReadTries: a page that leaves the file while it is read is looked up again.
// Removals are rare, so that the second time is nearly always the last.
const maxReadTries = 10

// Read answers q from the buffer, messages that are not on disk yet included.
// What it returns is the caller's. A room that does not exist is one without
// messages. The only error is ErrClosed.
//
// Recovered is true if it is certain that nothing is missing between After and
// the first message (or, where there is none, the end that was asked for), nor among
// the messages. It is false where Newest or Before with a Limit left some out. If the
// cursor itself proves nothing, which cursor.go describes, Read returns the newest
// Limit whatever Newest says. Without After, it is false only if messages between the
// others were lost to damage.
//
// A Before that is not of a known epoch proves nothing either: it is taken for the end,
// and Recovered is false.
func (s *Store) Read(name string, q codec.Query) (codec.Page, error) {
	if s.closed.Load() {
		return codec.Page{}, fmt.Errorf("store: read room %q: %w", name, ErrClosed)
	}
	for range maxReadTries {
		p := s.plan(name, q)
		err := s.fetch(&p)
		if errors.Is(err, errMoved) {
			s.count.rereads.Add(1)
			continue
		}
		if err != nil {
			s.distrust(err)
		}
		return p.finish(), nil
	}
	return codec.Page{}, fmt.Errorf("store: read room %q: %w", name, errMoved)
}

var errMoved = errors.New("messages left the buffer while they were read")

// A plan is a page whose messages on disk have to be fetched still.
type plan struct {
	page codec.Page
	// By message of the page: its sequence if it is on disk, 0 if it is here or lost.
	seqs  []uint64
	first uint64 // offset of the first
	lost  bool
}

// plan looks up which messages answer q, and copies those that are in memory.
func (s *Store) plan(name string, q codec.Query) plan {
	r, release := s.lookUp(name)
	defer release()
	es := *s.epochs.Load()
	page := codec.Page{
		Room:   name,
		Head:   codec.ID{Epoch: es.now().name, Offset: r.head},
		Oldest: r.oldestID(),
	}

	// Messages from above after up to last are asked for. Who does not say what
	// he has seen begins with what can be read.
	after, last := r.oldest()-1, r.head
	for after < last && r.slot(after+1).seq == 0 {
		after++
	}
	proved := true
	if q.Before != nil {
		before, ok := r.resolveBefore(es, *q.Before)
		if ok {
			last = before
		}
		proved = ok
	}
	newest := q.Newest || q.Before != nil
	if q.After != nil {
		offset, ok := r.resolve(es, *q.After)
		if ok {
			after = offset
		} else {
			newest = true
		}
		proved = proved && ok
	}
	first := max(after+1, r.oldest())
	n := uint64(0)
	if first <= last {
		n = last - first + 1
	}
	if q.Limit > 0 && n > uint64(q.Limit) {
		n = uint64(q.Limit)
		if newest {
			first = last - n + 1
		}
	}
	page.Recovered = proved && (q.After == nil || after >= last || n > 0 && first == after+1)

	p := plan{page: page, first: first}
	if n == 0 {
		return p
	}
	p.page.Messages = make([]codec.Message, n)
	p.seqs = make([]uint64, n)
	for i := range n {
		if e := r.waiting(first + i); e != nil {
			p.page.Messages[i] = e.msg
			continue
		}
		p.seqs[i] = r.slot(first + i).seq
		p.lost = p.lost || p.seqs[i] == 0
	}
	return p
}

// resolveBefore returns the last offset before a message, and if that is known.
func (r *room) resolveBefore(es epochs, id codec.ID) (uint64, bool) {
	if sl := r.slot(id.Offset); sl != nil && r.epochAt(id.Offset) == id.Epoch {
		return id.Offset - 1, true // it is in the buffer, whatever is known of its epoch
	}
	if id.Offset == 0 {
		_, known := es.find(id.Epoch)
		return 0, known
	}
	// A message that was lost: all that was there before it, and nothing that took
	// its offset later.
	end, ok := r.resolve(es, codec.ID{Epoch: id.Epoch, Offset: id.Offset - 1})
	return end, ok
}

// fetch reads the messages that are on disk. If some have left the buffer since the
// plan was made, errMoved asks for a new one. Any other error is one of the
// file; what could not be read is missing from the page then.
func (s *Store) fetch(p *plan) error {
	want := false
	for _, seq := range p.seqs {
		want = want || seq != 0
	}
	if !want {
		return nil
	}
	s.diskMu.RLock()
	defer s.diskMu.RUnlock()
	if s.disk == nil { // degraded: it is not lost yet, but cannot be had now
		p.lost = true
		return nil
	}
	return s.disk.view(func(tx *bolt.Tx) error {
		log := tx.Bucket(logBucket)
		var key []byte
		for i, seq := range p.seqs {
			if seq == 0 {
				continue
			}
			key = sequenceKey(key[:0], seq)
			var b []byte
			if log != nil {
				b = log.Get(key)
			}
			offset := p.first + uint64(i)
			rec, err := codec.DecodeRecord(b) // copies: b is gone after this
			if err == nil && (rec.Room != p.page.Room || rec.Message.ID.Offset != offset) {
				err = fmt.Errorf("%w: it is %d of room %q", codec.ErrRecord, rec.Message.ID.Offset, rec.Room)
			}
			if err == nil {
				p.page.Messages[i] = rec.Message
				continue
			}
			p.lost = true
			if !s.lose(p.page.Room, offset, seq, err) {
				return errMoved
			}
		}
		return nil
	})
}

// lose notes that a message on disk is damaged. It returns false if it has left
// the buffer meanwhile.
func (s *Store) lose(name string, offset, seq uint64, err error) bool {
	r, release := s.lookUp(name)
	defer release()
	sl := r.slot(offset)
	if sl == nil || sl.seq != seq && sl.seq != 0 {
		return false
	}
	if sl.seq == seq {
		s.loseLocked(sl)
		s.log.Error("stored message damaged", "room", name, "offset", offset, "err", err)
	}
	return true
}

// distrust has the committer check the whole file: bbolt found a page that is
// none, or the card did not give one.
func (s *Store) distrust(err error) {
	if s.readFault.CompareAndSwap(nil, &err) {
		s.signal()
	}
}

// finish leaves out what could not be had, and says so.
func (p *plan) finish() codec.Page {
	if !p.lost {
		for _, m := range p.page.Messages {
			if m.ID.Offset == 0 { // the file failed midway
				p.lost = true
			}
		}
	}
	if !p.lost {
		return p.page
	}
	p.page.Recovered = false
	kept := p.page.Messages[:0]
	for _, m := range p.page.Messages {
		if m.ID.Offset != 0 {
			kept = append(kept, m)
		}
	}
	p.page.Messages = kept
	return p.page
}
