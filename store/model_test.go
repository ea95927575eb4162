package store

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
)

// A model is a store as one would write it if nothing could be lost, nothing
// were large and nothing took time: lists of messages, and for each cursor that was handed
// out how much its holder has seen of what is left.
type model struct {
	cfg   Config
	rooms map[string]*modelRoom
}

type modelCursor struct {
	id   codec.ID
	seen int
}

func (m *model) room(name string) *modelRoom {
	if m.rooms[name] == nil {
		m.rooms[name] = &modelRoom{oldest: 1, oldestThen: 1}
	}
	return m.rooms[name]
}

// searched looks through the files for all that revisions took away which are on disk.
func (m *model) searched(t *testing.T, s *Store) {
	t.Helper()
	var gone []string
	for _, r := range m.rooms {
		for i := range r.all {
			if by := r.newest(i); by != nil && int(by.msg.ID.Offset) <= r.stored && r.all[i].msg.Kind != codec.Deletion {
				content, _, _ := strings.Cut(r.all[i].msg.Content, "]")
				gone = append(gone, content+"]")
			}
		}
	}
	nowhere(t, s, gone)
}

func (m *model) append(x modelMessage) {
	r := m.room(x.room)
	r.all = append(r.all, x)
	r.oldest = max(r.oldest, len(r.all)-m.cfg.History+1)
}

// follow takes from the store which rooms gave messages because the buffer was full, which is up to it, and
// checks that it was, and that no more went than had to. What left the buffer comes back after a restart alone.
func (m *model) follow(t *testing.T, s *Store, restarted bool) {
	t.Helper()
	bytes, gave := int64(0), false
	for name, r := range m.rooms {
		oldest := len(r.all) + 1
		if id := s.Oldest(name); id.Offset > 0 {
			oldest = int(id.Offset)
		}
		if oldest < r.oldest && !restarted || oldest > len(r.all)+1 || oldest <= len(r.all)-m.cfg.History {
			t.Fatalf("room %s: %d to %d can be read, it was %d", name, oldest, len(r.all), r.oldest)
		}
		gave = gave || oldest > r.oldest
		r.oldest = oldest
		if restarted {
			r.holes(t, s, name)
		}
		for i := oldest - 1; i < len(r.all); i++ {
			bytes += r.cost(i)
		}
		if s.rooms[name] != nil {
			bytes += costOfRoom(name)
		}
	}
	if most := m.cfg.HistoryBytes; bytes != s.Stats().Bytes || bytes > most || gave && bytes < most-2*5000 {
		t.Fatalf("%d bytes by the model, %d by the store, of %d; rooms gave some: %t", bytes, s.Stats().Bytes, most, gave)
	}
}

func (m *model) sync() {
	for _, r := range m.rooms {
		r.stored, r.oldestThen = len(r.all), r.oldest
	}
}

// committed takes from the store what is on disk: who sends a message again waits for that alone, and one commit may not hold
// all that is pending.
func (m *model) committed(s *Store) {
	for name, r := range m.rooms {
		if on := s.rooms[name]; on != nil {
			on.mu.Lock()
			r.stored, r.oldestThen = max(r.stored, int(on.logged)), r.oldest
			on.mu.Unlock()
		}
	}
}

// crash forgets what was not on disk.
func (m *model) crash(t *testing.T, s *Store) {
	t.Helper()
	for _, r := range m.rooms {
		r.all = r.all[:r.stored]
		for i := range r.cursors {
			r.cursors[i].seen = min(r.cursors[i].seen, r.stored)
		}
		r.mayLack = max(r.mayLack, min(r.oldest, r.stored+1))
		r.oldest = r.oldestThen
	}
	m.follow(t, s, true)
	m.sync()
}

var modelRounds = flag.Int("rounds", 8, "runs of TestModel")

// TestModel does at random what can be done to a store, and compares it with the
// model after each step.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range *modelRounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { modelRun(t, rand.New(rand.NewPCG(uint64(seed), 1)), 400) })
	}
}

func modelRun(t *testing.T, rnd *rand.Rand, steps int) {
	cfg := Config{
		Path:         filepath.Join(t.TempDir(), "edgechat.db"),
		History:      3 + rnd.IntN(20),
		HistoryBytes: 64 << 10,
		SyncInterval: time.Hour, // so that it is known what is on disk
		AckDelay:     time.Nanosecond,
		ReadWait:     time.Minute, // a page that came late would not have all
	}
	big := rnd.IntN(2) == 0 // so that HistoryBytes matters
	s := open(t, cfg)
	m := &model{cfg: cfg, rooms: make(map[string]*modelRoom)}
	ids := make(map[codec.ID]string) // no id stands for two messages of a room
	clock := int64(0)
	for step := range steps {
		name := fmt.Sprint("room", rnd.IntN(6))
		r := m.room(name)
		switch op := rnd.IntN(100); {
		case op < 60: // a message or a revision, sometimes with a key that was used
			clock++
			// Of a length that no number has which stands beside it in a file.
			x := modelMessage{room: name, msg: codec.Message{Username: "u", Content: fmt.Sprintf("[said in step %d]", step), Time: clock, Author: 1 + rnd.Uint64N(2)}}
			if big {
				x.msg.Content += strings.Repeat("x", rnd.IntN(4000))
			}
			claim := codec.Claim{Authors: [2]uint64{1}, All: rnd.IntN(2) == 0}
			if len(r.all) > 0 && rnd.IntN(3) == 0 {
				x.msg.Kind, x.msg.Author = codec.Edit, 0
				if rnd.IntN(3) == 0 {
					x.msg.Kind, x.msg.Content = codec.Deletion, ""
				}
				at := max(1, len(r.all)-rnd.IntN(cfg.History+2))
				x.msg.Target = r.all[at-1].msg.ID
			}
			if rnd.IntN(3) == 0 {
				x.key = fmt.Sprint("key", rnd.IntN(8))
			}
			original, dup := codec.ID{}, false
			if x.key != "" {
				original, dup = r.byKey(x.key)
			}
			stored := rnd.IntN(4) == 0
			var done chan codec.Receipt
			var tell func(codec.Receipt)
			if stored {
				done = make(chan codec.Receipt, 1)
				tell = func(r codec.Receipt) { done <- r }
			}
			var id codec.ID
			var err error
			if x.msg.Kind == codec.Said {
				id, err = s.appended(name, x.msg, x.key, tell)
			} else {
				id, err = s.revised(name, x.msg, claim, x.key, tell)
			}
			if want := r.refuse(&x, claim); !dup && want != nil {
				if !errors.Is(err, want) {
					t.Fatalf("step %d: revision of %s: %v, want %v", step, x.msg.Target, err, want)
				}
				break
			}
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			if stored {
				if r := <-done; !r.Durable || r.ID != id {
					t.Fatalf("step %d: receipt %+v for %s", step, r, id)
				}
			}
			if dup {
				if id != original {
					t.Fatalf("step %d: key %s: got %s, want %s", step, x.key, id, original)
				}
				if stored && int(original.Offset) > r.stored { // else a receipt commits nothing
					m.committed(s)
					if int(original.Offset) > r.stored {
						t.Fatalf("step %d: receipt for %s, and the log has %d", step, original, r.stored)
					}
				}
				break
			}
			if was, used := ids[id]; used && was == name {
				t.Fatalf("step %d: %s was given before in room %s", step, id, name)
			}
			ids[id] = name
			if int(id.Offset) != len(r.all)+1 {
				t.Fatalf("step %d: %s in room %s, which has %d", step, id, name, len(r.all))
			}
			x.msg.ID = id
			m.append(x)
			m.follow(t, s, false)
			if stored {
				m.sync()
			}
			r.cursors = append(r.cursors, modelCursor{id, len(r.all)})
		case op < 65: // whoever joins gets a cursor
			r.cursors = append(r.cursors, modelCursor{s.Head(name), len(r.all)})
		case op < 67:
			closeStore(t, s)
			m.sync()
			m.searched(t, s)
			s = open(t, cfg)
			m.follow(t, s, true)
			m.sync()
		case op < 69:
			foldNow(t, s) // it commits nothing
			m.searched(t, s)
		case op < 72:
			next := crash(t, s, cfg)
			closeStore(t, s)
			s, cfg.Path = next, next.cfg.Path
			m.crash(t, s)
		default:
			m.compare(t, s, rnd, name, fmt.Sprintf("step %d: room %s", step, name))
		}
	}
	for name := range m.rooms {
		m.compare(t, s, rnd, name, "end: room "+name)
	}
}

// compare asks for a page and works out from the model what it has to be.
func (m *model) compare(t *testing.T, s *Store, rnd *rand.Rand, name, what string) {
	t.Helper()
	r := m.room(name)
	q := codec.Query{Limit: rnd.IntN(8), Newest: rnd.IntN(2) == 0}
	after, proved := r.oldest-1, true
	if len(r.cursors) > 0 && rnd.IntN(4) > 0 {
		c := r.cursors[rnd.IntN(len(r.cursors))]
		// An epoch may be forgotten by now: then nothing is proved.
		if _, known := s.epochs.Load().find(c.id.Epoch); known {
			after = c.seen
		} else {
			proved, q.Newest = false, true
		}
		q.After = &c.id
	}
	page, whole := r.page(max(after+1, r.oldest), q)
	recovered := proved && whole && (q.After == nil || after == len(r.all) || len(page) > 0 && page[0] == after+1)

	p := readPage(t, s, name, q)
	cursor := "none"
	if q.After != nil {
		cursor = q.After.String()
	}
	what = fmt.Sprintf("%s: after %s (seen %d), limit %d, newest %t; has %d to %d", what, cursor, after, q.Limit, q.Newest, r.oldest, len(r.all))
	if p.Recovered != recovered {
		t.Fatalf("%s: recovered %t", what, p.Recovered)
	}
	if len(p.Messages) != len(page) {
		t.Fatalf("%s: %d messages, want %d", what, len(p.Messages), len(page))
	}
	for i, got := range p.Messages {
		if want := r.present(page[i] - 1); got != want {
			t.Fatalf("%s: message %d: got %+v, want %+v", what, i, got, want)
		}
	}
	if int(p.Head.Offset) != len(r.all) || p.Head != s.Head(name) {
		t.Fatalf("%s: head %s", what, p.Head)
	}
	oldest := codec.ID{}
	if r.oldest <= len(r.all) {
		oldest = r.all[r.oldest-1].msg.ID
	}
	if p.Oldest != oldest {
		t.Fatalf("%s: oldest %s, want %s", what, p.Oldest, oldest)
	}
}
