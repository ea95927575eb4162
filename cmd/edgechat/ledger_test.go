package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A ledger is what clients were given and promised, to be held against what a server has
// after whatever befell it.
type ledger struct {
	t       testing.TB
	history int // what a room keeps

	mu     sync.Mutex
	rooms  map[string]map[string]*given // by id, since offsets, and so ids, are a room's own
	epochs []string                     // in the order in which they were first seen
	starts int                          // of servers, as far as started is called
	opened map[string]int               // by epoch: starts when it was first seen
}

// knownStarts is less than the epochs that a store remembers, of which each start after a crash opens one.
const knownStarts = 60

// given is a message that was delivered under an id.
type given struct {
	content string
	acked   bool // as durable
}

func newLedger(t testing.TB, history int) *ledger {
	return &ledger{t: t, history: history, rooms: map[string]map[string]*given{}, opened: map[string]int{}}
}

// started says that a server was started anew, which forgets the cursors of epochs that are long past.
func (l *ledger) started() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts++
}

// saw notes that id stands for content in room; it may not stand for anything else.
func (l *ledger) saw(room, id, content string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sawLocked(room, id, content)
}

func (l *ledger) sawLocked(room, id, content string) *given {
	if l.rooms[room] == nil {
		l.rooms[room] = map[string]*given{}
	}
	if epoch, _, _ := strings.Cut(id, "-"); !slices.Contains(l.epochs, epoch) {
		l.epochs = append(l.epochs, epoch)
		l.opened[epoch] = l.starts
	}
	g := l.rooms[room][id]
	if g == nil {
		g = &given{content: content}
		l.rooms[room][id] = g
	} else if g.content != content {
		l.t.Errorf("in %s the id %s stands for %.40q and for %.40q", room, id, g.content, content)
	}
	return g
}

// acked notes that content was acknowledged under this id as durable.
func (l *ledger) acked(room, id, content string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sawLocked(room, id, content).acked = true
}

// count returns how many messages were given, and how many of them were acknowledged.
func (l *ledger) count() (all, acked int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, room := range l.rooms {
		for _, g := range room {
			all++
			if g.acked {
				acked++
			}
		}
	}
	return all, acked
}

// check holds a server against the ledger: what was acknowledged is there under its id or was displaced by as many
// as a room keeps, and whoever comes back with a cursor is told the truth. when says which moment this is.
func (l *ledger) check(addr, when string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for room, all := range l.rooms {
		kept := l.historyLocked(addr, room, when)
		place := map[string]int{}
		for i, m := range kept {
			place[m.ID] = i
		}
		newest := uint64(0)
		if len(kept) > 0 {
			newest = kept[len(kept)-1].Offset
		}
		missing, example, last := 0, "", ""
		for id, g := range all {
			if last == "" || l.after(id, last) {
				last = id
			}
			// What is older than all that is kept was displaced, if there are as many as a room keeps.
			displaced := len(kept) > 0 && offsetOf(id) < kept[0].Offset && newest >= offsetOf(id)+uint64(l.history)
			if _, ok := place[id]; !ok && g.acked && !displaced {
				missing++
				example = id
			}
		}
		if missing > 0 {
			l.t.Errorf("%s: %s: %d acknowledged messages are missing, %s for one: there are %d, of %s to %s, of those up to %s, and a room keeps %d",
				when, room, missing, example, len(kept), idOf(kept, 0), idOf(kept, len(kept)-1), last, l.history)
		}
		// Cursors: the first and the last of each epoch, and some between.
		for i, id := range l.sortedLocked(room) {
			if i%max(1, len(all)/4) == 0 || i == len(all)-1 {
				l.cursorLocked(addr, room, when, id, kept, place)
			}
		}
	}
}

// cursorLocked comes back with a cursor.
func (l *ledger) cursorLocked(addr, room, when, cursor string, kept []message, place map[string]int) {
	l.t.Helper()
	page := getPage(l.t, addr, room, "?limit=10000&since="+cursor)
	got := map[string]string{}
	for i, m := range page.Messages {
		got[m.ID] = m.Content
		if i > 0 && m.Offset != page.Messages[i-1].Offset+1 && page.Recovered {
			l.t.Errorf("%s: %s after %s: recovered, and offset %d follows %d", when, room, cursor, m.Offset, page.Messages[i-1].Offset)
		}
	}
	// What was not acknowledged may be missing between others: it had been displaced by what was lost as well.
	known := l.starts-l.opened[epochOf(cursor)] <= knownStarts
	if at, ok := place[cursor]; ok && known && whole(kept[at:]) && (!page.Recovered || len(page.Messages) != len(kept)-at-1) {
		l.t.Errorf("%s: %s has %s and %d messages after it: who comes back with it gets %d, recovered: %v",
			when, room, cursor, len(kept)-at-1, len(page.Messages), page.Recovered)
	}
	if !page.Recovered {
		return
	}
	if len(page.Messages) > 0 && epochOf(page.Messages[0].ID) == epochOf(cursor) && page.Messages[0].Offset != offsetOf(cursor)+1 {
		l.t.Errorf("%s: %s after %s: recovered, and the first is %s", when, room, cursor, page.Messages[0].ID)
	}
	missing, example := 0, ""
	for id, g := range l.rooms[room] {
		if g.acked && l.after(id, cursor) && got[id] != g.content {
			missing++
			example = id
		}
	}
	if missing > 0 {
		l.t.Errorf("%s: %s after %s: recovered, and %d acknowledged messages are missing, %s for one; it got %d",
			when, room, cursor, missing, example, len(page.Messages))
	}
}

// kept returns what the server has of a room, oldest first.
func (l *ledger) kept(addr, room string) []message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.historyLocked(addr, room, "now")
}

// historyLocked pages through all that is kept of a room, oldest first.
func (l *ledger) historyLocked(addr, room, when string) (list []message) {
	l.t.Helper()
	for before := ""; ; {
		page := getPage(l.t, addr, room, "?limit=1000"+before)
		if len(page.Messages) == 0 {
			break
		}
		list = append(page.Messages, list...)
		before = "&before=" + list[0].ID
	}
	contents := map[string]string{}
	for i, m := range list {
		if i > 0 && m.Offset <= list[i-1].Offset {
			l.t.Errorf("%s: %s: offset %d follows %d", when, room, m.Offset, list[i-1].Offset)
		}
		if other, ok := contents[m.Content]; ok {
			l.t.Errorf("%s: %s has %.40q as %s and as %s", when, room, m.Content, other, m.ID)
		}
		contents[m.Content] = m.ID
		l.sawLocked(room, m.ID, m.Content)
	}
	return list
}

// whole reports whether nothing is missing between messages.
func whole(list []message) bool {
	return len(list) == 0 || list[len(list)-1].Offset-list[0].Offset == uint64(len(list)-1)
}

// after reports whether one id was given later than another.
func (l *ledger) after(id, other string) bool {
	a, b := slices.Index(l.epochs, epochOf(id)), slices.Index(l.epochs, epochOf(other))
	return a > b || a == b && offsetOf(id) > offsetOf(other)
}

func (l *ledger) sortedLocked(room string) (ids []string) {
	for id := range l.rooms[room] {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		if l.after(a, b) {
			return 1
		}
		return -1
	})
	return ids
}

// A page is an answer of history.
type page struct {
	ID, Oldest string
	Recovered  bool
	Messages   []message
}

// patient asks for what may wait for a card.
var patient = &http.Client{Timeout: 60 * time.Second}

func getPage(t testing.TB, addr, room, query string) (p page) {
	t.Helper()
	resp, err := patient.Get("http://" + addr + "/chat/room/" + room + "/messages" + query)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err = errors.Join(err, json.Unmarshal(body, &p)); err != nil || resp.StatusCode != 200 {
		t.Fatalf("history of %s%s: %s %v %.200s", room, query, resp.Status, err, body)
	}
	return p
}

func idOf(list []message, i int) string {
	if i < 0 || i >= len(list) {
		return "none"
	}
	return fmt.Sprintf("%s (%.20s)", list[i].ID, list[i].Content)
}

func epochOf(id string) string {
	epoch, _, _ := strings.Cut(id, "-")
	return epoch
}
