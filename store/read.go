package store

import (
	"errors"
	"fmt"

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
	for tries := 0; tries < maxReadTries; {
		p := s.plan(name, q)
		err := s.fetch(p)
		if errors.Is(err, errDamaged) {
			continue // each time there is less of it
		}
		if errors.Is(err, errMoved) {
			tries++
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

var (
	errMoved   = errors.New("messages left the buffer while they were read")
	errDamaged = errors.New("messages are damaged")
)

// A plan is a page whose messages on disk have to be fetched still.
type plan struct {
	page codec.Page
	// By message of the page: its sequence if it is on disk, 0 if it is here or lost.
	seqs    []uint64
	first   uint64   // offset of the first
	changes []change // what later revisions make of them
	lost    bool
	limited bool // fewer may be there than were asked for
}

// plan looks up which messages answer q, and copies those that are in memory.
func (s *Store) plan(name string, q codec.Query) *plan {
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
		first, n = r.limit(first, last, q.Limit, newest)
	}
	page.Recovered = proved && (q.After == nil || after >= last || n > 0 && first == after+1)

	p := &plan{page: page, first: first, limited: q.Limit > 0}
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
	if r.revised != nil {
		p.findChanges(r)
	}
	return p
}

// fetch reads the messages that are on disk. If some have left the buffer since the
// plan was made, errMoved asks for a new one. Any other error is one of the
// file; what could not be read is missing from the page then.
func (s *Store) fetch(p *plan) error {
	defer p.change()
	wanted := p.wanted()
	if len(wanted) == 0 {
		return nil
	}
	found, err := s.reads.do(s.cfg.ReadWait, func() fetched { return s.readHistory(p.page.Room, wanted) })
	if err != nil { // it is not lost, but cannot be had now
		s.count.late.Add(1)
		p.lost, p.page.Unread = true, true
		return nil
	}
	if !p.take(wanted, found.messages) {
		return errMoved // a checkpoint came in between
	}
	if len(found.damaged) == 0 && found.err == nil {
		return nil
	}
	// What does not fit is no damage if it was looked for in pages that were used again since.
	if s.view.Load() != found.view {
		return errMoved
	}
	p.lost = true
	if found.err != nil {
		p.page.Unread = true
		return found.err
	}
	if err := s.lose(p, found.damaged); err != nil || !p.limited {
		return err
	}
	return errDamaged // the next plan goes behind what is a hole now
}

// A fetched is what was found of a plan in the history.
type fetched struct {
	view     *view
	messages []found // zero: not there
	damaged  []damaged
	err      error // of the file
}

type found struct {
	codec.Message
	superseded bool // its content was taken out
}

// A wanted is a message that has to be read from the history.
type wanted struct {
	seq, offset uint64
	i           int  // of the page, or of changes
	change      bool // it tells what became of another
}

type damaged struct {
	wanted
	err error
}

// readHistory reads messages from the history. It runs on a goroutine
// that may hang with the disk, and so touches nothing of the store but its view.
func (s *Store) readHistory(name string, list []wanted) (f fetched) {
	f.view = s.view.Load()
	f.messages = make([]found, len(list))
	if f.view == nil {
		f.err = errNoDisk
		return f
	}
	lend(f.view, func(w *walker) { f.walk(w, name, list) })
	return f
}

// walk finds the messages of list with w.
func (f *fetched) walk(w *walker, name string, list []wanted) {
	var key []byte
	for i, want := range list {
		key = sequenceKey(key[:0], want.seq)
		b, err := w.get(f.view.log, key)
		if err != nil {
			f.err = err
			return
		}
		rec, err := codec.DecodeRecord(b) // copies
		if err == nil && (rec.Room != name || rec.Message.ID.Offset != want.offset) {
			err = fmt.Errorf("%w: it is %d of room %q", codec.ErrRecord, rec.Message.ID.Offset, rec.Room)
		}
		if err != nil {
			f.damaged = append(f.damaged, damaged{want, err})
			continue
		}
		f.messages[i] = found{rec.Message, rec.Superseded}
	}
}

// lose notes which messages on disk are damaged, in one line for all of them. It returns errMoved if
// one has left the buffer meanwhile.
func (s *Store) lose(p *plan, list []damaged) error {
	r, release := s.lookUp(p.page.Room)
	defer release()
	n := 0
	for _, d := range list {
		sl := r.slot(d.offset)
		if sl == nil || sl.seq != d.seq && sl.seq != 0 {
			return errMoved
		}
		if sl.seq == d.seq {
			s.loseLocked(r, d.offset, sl)
			n++
		}
	}
	if n > 0 {
		s.log.Error("stored messages damaged", "room", p.page.Room, "count", n, "offset", list[0].offset, "err", list[0].err)
	}
	return nil
}

// distrust has the keeper check the whole history: a page is
// none, or the card did not give one.
func (s *Store) distrust(err error) {
	if s.readFault.CompareAndSwap(nil, &err) {
		s.requestFold()
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
