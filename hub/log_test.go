package hub

import (
	"slices"
	"sync"

	"edgechat/codec"
)

// A plainLog is a Log in a map: what the hub asks for, and no more.
type plainLog struct {
	keep int // messages a room

	mu      sync.Mutex
	rooms   map[string]*plainRoom
	deliver func(room string, m *codec.Message)
	cut     func(room string, head codec.ID)
	slow    func()            // called by Read before it looks
	read    func(*codec.Page) // and with what it has found, if not nil
}

type plainRoom struct {
	mu       sync.Mutex // held while it delivers, as a Log promises an order
	messages []codec.Message
	head     uint64
}

func newPlainLog(keep int) *plainLog {
	return &plainLog{keep: keep, rooms: map[string]*plainRoom{}, slow: func() {}}
}

func (l *plainLog) Deliver(f func(string, *codec.Message), cut func(string, codec.ID)) {
	l.deliver, l.cut = f, cut
}

func (l *plainLog) room(name string) *plainRoom {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rooms[name] == nil {
		l.rooms[name] = &plainRoom{}
	}
	return l.rooms[name]
}

func (l *plainLog) Append(name string, m codec.Message, key string, done codec.Done) error {
	r := l.room(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head++
	m.ID = codec.ID{Epoch: "e", Offset: r.head}
	r.messages = append(r.messages, m)
	r.messages = r.messages[max(0, len(r.messages)-l.keep):]
	l.deliver(name, &m)
	if done.Tell != nil {
		done.Tell(codec.Receipt{ID: m.ID, Durable: true})
	}
	return nil
}

// Revise changes what it says now, and appends that it did.
func (l *plainLog) Revise(name string, m codec.Message, claim codec.Claim, key string, done codec.Done) error {
	r := l.room(name)
	r.mu.Lock()
	i := slices.IndexFunc(r.messages, func(x codec.Message) bool { return x.ID == m.Target && x.Kind == codec.Said && !x.Deleted })
	var err error
	switch {
	case i < 0:
		err = codec.ErrNoTarget
	case !claim.Covers(r.messages[i].Author):
		err = codec.ErrNotAuthor
	default:
		for k := range r.messages {
			if x := &r.messages[k]; x.ID == m.Target || x.Kind != codec.Said && x.Target == m.Target {
				x.Content, x.Deleted = m.Content, m.Kind == codec.Deletion
				x.Edited = x.Kind == codec.Said && !x.Deleted
			}
		}
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return l.Append(name, m, key, done)
}

func (l *plainLog) Read(name string, q codec.Query) (codec.Page, error) {
	l.slow()
	r := l.room(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	page := codec.Page{Room: name, Head: codec.ID{Epoch: "e", Offset: r.head}, Recovered: true}
	found := r.messages
	if len(found) > 0 {
		page.Oldest = found[0].ID
		if q.After != nil && q.After.Offset >= page.Oldest.Offset {
			found = found[q.After.Offset-page.Oldest.Offset+1:]
		}
	}
	switch {
	case q.Limit == 0 || len(found) <= q.Limit:
	case q.Newest:
		found = found[len(found)-q.Limit:]
	default:
		found = found[:q.Limit]
	}
	if q.After != nil && len(found) > 0 && found[0].ID.Offset != q.After.Offset+1 {
		page.Recovered = false
	}
	page.Messages = slices.Clone(found)
	if l.read != nil {
		l.read(&page)
	}
	return page, nil
}

func (l *plainLog) Oldest(name string) codec.ID {
	r := l.room(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.messages) == 0 {
		return codec.ID{}
	}
	return r.messages[0].ID
}

func (l *plainLog) Head(name string) codec.ID {
	r := l.room(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	return codec.ID{Epoch: "e", Offset: r.head}
}
