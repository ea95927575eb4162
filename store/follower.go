package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"edgechat/codec"
	"edgechat/internal/durable"
)

// A Follower is a store that follows, and can go back. Whoever reads while it does waits for one file to be closed and another to be opened.
//
// Apply, Learn, Rollback and Leap are called by one goroutine; all others may be called from any.
type Follower struct {
	cfg     Config
	deliver func(string, *codec.Message)
	cut     func(string, codec.ID)
	mu      sync.RWMutex // of store, which is another one after it went back
	store   *Store
}

// OpenFollower is Open for a store that follows, whatever cfg.Follow says.
func OpenFollower(cfg Config) (*Follower, error) {
	cfg.Follow = true
	s, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Follower{cfg: cfg, store: s}, nil
}

// Store returns the store as it is now. What it returns is closed once the follower goes back.
func (f *Follower) Store() *Store {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.store
}

// Close is that of the store.
func (f *Follower) Close() error { return f.Store().Close() }

// Deliver is that of the store. cut is told of each room that goes back, and of each that has a gap.
func (f *Follower) Deliver(deliver func(string, *codec.Message), cut func(string, codec.ID)) {
	f.deliver, f.cut = deliver, cut
	f.store.Deliver(deliver, cut)
}

// Read is that of the store, and so are those that follow.
func (f *Follower) Read(room string, q codec.Query) (codec.Page, error) {
	for {
		s := f.Store()
		p, err := s.Read(room, q)
		if errors.Is(err, ErrClosed) && f.Store() != s {
			continue // it went back meanwhile
		}
		return p, err
	}
}

func (f *Follower) Head(room string) codec.ID                   { return f.Store().Head(room) }
func (f *Follower) Oldest(room string) codec.ID                 { return f.Store().Oldest(room) }
func (f *Follower) Position() uint64                            { return f.Store().Position() }
func (f *Follower) EpochOf(n uint64) string                     { return f.Store().EpochOf(n) }
func (f *Follower) Learn(n uint64, name string)                 { f.Store().Learn(n, name) }
func (f *Follower) After(position uint64) ([]Positioned, error) { return f.Store().After(position) }
func (f *Follower) Knows(name string) bool                      { return f.Store().Knows(name) }
func (f *Follower) Epochs() map[uint64]string                   { return f.Store().Epochs() }
func (f *Follower) Newest() uint64                              { return f.Store().Newest() }
func (f *Follower) Settle(room string, id codec.ID, done func(codec.Receipt)) error {
	return f.Store().Settle(room, id, done)
}
func (f *Follower) Heads() map[string]uint64 { return f.Store().Heads() }
func (f *Follower) Apply(x Positioned, done func(codec.Receipt)) error {
	return f.Store().Apply(x, done)
}
func (f *Follower) Find(room, key string, done func(codec.Receipt)) (codec.ID, bool) {
	return f.Store().Find(room, key, done)
}
func (f *Follower) Admits(room string, m *codec.Message, claim codec.Claim, key string) error {
	return f.Store().Admits(room, m, claim, key)
}

// Rollback takes away what has positions behind this one: the log lost it. Rooms go back behind the newest message that is
// left, and are cut. A message whose edit was taken away is a hole. Epochs with numbers above n are forgotten. It returns when that is on disk.
func (f *Follower) Rollback(position, n uint64) error {
	before := f.Heads()
	err := f.rewrite(func(st *state) {
		st.checkpoint = min(st.checkpoint, position)
		st.epochs = slices.DeleteFunc(slices.Clone(st.epochs), func(e epoch) bool { return e.n > n })
		if len(st.epochs) == 0 {
			st.epochs = epochs{{name: newEpochName()}}
		}
	}, func(name string, p *place, records []Positioned) []Positioned {
		kept := records[:0]
		for _, x := range records {
			if x.Position <= position {
				kept = append(kept, x)
			}
		}
		p.head = 0
		if n := len(kept); n > 0 {
			p.head = kept[n-1].Message.ID.Offset
			p.left = min(p.left, p.head+1)
		}
		for len(p.starts) > 0 && p.starts[len(p.starts)-1].first > p.head {
			p.starts = p.starts[:len(p.starts)-1]
		}
		return kept
	})
	if err != nil {
		return fmt.Errorf("store: roll back to %d: %w", position, err)
	}
	f.tellCut(func(room string, head codec.ID) bool { return head.Offset < before[room] }, before)
	return nil
}

// Leap goes on at a position without what is between: the log does not have it any more. heads are the newest offsets of rooms
// there; one that is further has a hole up to it, and is cut. It returns when that is on disk.
func (f *Follower) Leap(position uint64, n uint64, name string, heads map[string]uint64) error {
	before := f.Heads()
	err := f.rewrite(func(st *state) {
		st.checkpoint = max(st.checkpoint, position)
		if n > st.epochs.now().n {
			st.epochs = append(st.epochs, epoch{n: n, name: name, forked: st.forks})
			st.forks = false
		}
	}, func(room string, p *place, records []Positioned) []Positioned {
		p.head = max(p.head, heads[room])
		return records
	})
	if err != nil {
		return fmt.Errorf("store: go on at %d: %w", position, err)
	}
	f.tellCut(func(room string, head codec.ID) bool { return head.Offset > before[room] }, heads)
	return nil
}

// tellCut tells of the rooms that are not where they were.
func (f *Follower) tellCut(moved func(room string, head codec.ID) bool, rooms map[string]uint64) {
	if f.cut == nil {
		return
	}
	for room := range rooms {
		if head := f.Head(room); moved(room, head) {
			f.cut(room, head)
		}
	}
}

// rewrite makes a file of what the store holds, as change and keep have it, while that goes on, and has it take the place of the store's own. If it
// fails the store goes on as it was.
func (f *Follower) rewrite(change func(*state), keep func(room string, p *place, records []Positioned) []Positioned) error {
	old := f.Store()
	fresh := old.cfg.Path + ".new"
	defer func() { _ = os.Remove(fresh) }() // it is not there any more, unless something failed
	if err := rewriteTo(fresh, old, change, keep); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err := old.Close()
	if err == nil {
		err = takePlace(fresh, old.cfg.Path)
	}
	s, openErr := Open(f.cfg)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	s.Deliver(f.deliver, f.cut)
	f.store = s
	return err
}

// rewriteTo makes the file fresh.
func rewriteTo(fresh string, old *Store, change func(*state), keep func(string, *place, []Positioned) []Positioned) error {
	folder := filepath.Dir(fresh)
	temp, err := durable.Temp(folder, backupTemp)
	if err != nil {
		return err
	}
	defer func() { _, _ = os.Remove(temp.Name()), temp.Close() }()
	next, err := durable.Temp(folder, restoreTemp)
	if err != nil {
		return err
	}
	defer func() { _, _ = os.Remove(next.Name()), next.Close() }()
	if err := old.Backup(temp); err != nil {
		return err
	}
	if err := rewriteBackup(temp, next, change, keep); err != nil {
		return err
	}
	return restoreTo(fresh, next.Name(), func(*state) {})
}

// takePlace has a history be that of a path, whose log is of the one before.
func takePlace(fresh, path string) error {
	if err := durable.Rename(fresh, path); err != nil {
		return err
	}
	// Until the log of before is gone, a start sees that it is of another history, and leaves it out.
	if err := os.Remove(logPath(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// rewriteBackup copies a backup. A room of which nothing is kept, and whose place has no starts, is left out.
func rewriteBackup(from, to *os.File, change func(*state), keep func(string, *place, []Positioned) []Positioned) error {
	b := newBackupWriter(to)
	var name string
	var p place
	var records []Positioned
	finish := func() {
		if name == "" {
			return
		}
		kept := keep(name, &p, records)
		if len(p.starts) > 0 {
			b.record(recordPlace, p.append(appendText(nil, name)))
			for i := range kept {
				b.message(kept[i].Position, &kept[i].Record)
			}
		}
		name, p, records = "", place{}, nil
	}
	_, err := readFromStart(from, func(kind byte, body []byte) (err error) {
		switch kind {
		case recordStart:
			st, err := decodeState(body)
			if err != nil {
				return err
			}
			change(&st)
			b.begin(&st)
		case recordPlace:
			finish()
			r := &fields{b: body}
			name = r.text()
			p, err = decodePlace(r.b)
		case recordMessage, recordRevision:
			var x Positioned
			x, err = positioned(body)
			records = append(records, x)
		}
		return errors.Join(err, b.err)
	})
	if err != nil {
		return err
	}
	finish()
	return b.end()
}

// positioned reads the body of a message of a backup.
func positioned(body []byte) (Positioned, error) {
	seq, n := binary.Uvarint(body)
	if n <= 0 {
		return Positioned{}, errFormat
	}
	rec, err := codec.DecodeRecord(body[n:])
	return Positioned{seq, rec}, err
}
