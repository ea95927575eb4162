package store

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
)

const childEnv = "EDGECHAT_STORE_CHILD"

var kills = flag.Int("kills", 10, "times that TestKill kills a store that is at work")

// killConfig keeps everything, so that whatever was acknowledged has to be there.
func killConfig(path string) Config {
	return Config{Path: path, History: 100_000, LogBytes: 256 << 10, identify: func(*os.File) string { return "the same" }, SyncInterval: 5 * time.Millisecond, AckDelay: time.Millisecond}
}

// child is what the test binary does when it is run by TestKill: it opens the
// store, says which message it is about to revise ("t room target key"), what it gave out ("g room id key", and for a revision
// "g room id key target") and what was acknowledged ("a room id key"), and goes on until it is killed: a revision may be in the
// log before it is given out. A message says its key, and so does an edit; the key of a deletion begins with "d".
func child(path string) {
	s, err := Open(killConfig(path))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	say := func(what, room string, id codec.ID, key, target string) {
		mu.Lock()
		defer mu.Unlock()
		// One write for a line, so that a kill leaves none behind that is wrong.
		_, _ = io.WriteString(os.Stdout, fmt.Sprintf("%s %s %s %s %s\n", what, room, id, key, target))
	}
	var saying string // the key of what is being said
	s.Deliver(func(room string, m *codec.Message) { say("g", room, m.ID, saying, m.Target.String()) }, nil)
	said := make(map[string][]codec.ID)
	var id codec.ID
	for i := range 20_000 { // in the end, should nobody kill it
		room := fmt.Sprint("room", rand.IntN(4))
		key := fmt.Sprintf("%d.%d", os.Getpid(), i)
		m := codec.Message{Content: key}
		if ids := said[room]; len(ids) > 0 && rand.IntN(4) == 0 {
			m.Kind, m.Target = codec.Edit, ids[max(0, len(ids)-1-rand.IntN(50))]
			if rand.IntN(10) == 0 {
				m.Kind, key = codec.Deletion, "d"+key
			}
		}
		saying = key
		var done func(codec.Receipt)
		if rand.IntN(2) == 0 {
			done = func(r codec.Receipt) {
				if r.Durable {
					say("a", room, r.ID, key, "")
				}
			}
		}
		if m.Kind != codec.Said {
			say("t", room, m.Target, key, "")
		}
		if m.Kind == codec.Said {
			id, err = s.appended(room, m, key, done)
			said[room] = append(said[room], id)
		} else if err = s.Revise(room, m, codec.Claim{All: true}, key, codec.Done{Tell: done}); errors.Is(err, codec.ErrNoTarget) {
			err = nil // it was deleted
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if rand.IntN(50) == 0 {
			time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		}
	}
}

type given struct {
	id     codec.ID
	key    string
	target string // of a revision
	acked  bool
}

// about returns the id of the message that it says something of.
func (g *given) about() string {
	if g.target != "" {
		return g.target
	}
	return g.id.String()
}

// may says whether a message may be read as this: it is as it was given, or as a revision left it, and no
// revision that was acknowledged came after that.
func (g *given) may(m *codec.Message, about map[string][]*given) bool {
	right := false
	for _, x := range about[g.about()] {
		if x.acked {
			right = false
		}
		deleted := strings.HasPrefix(x.key, "d")
		right = right || m.Content == x.key && !m.Deleted || deleted && m.Content == "" && (m.Deleted || m.Kind == codec.Deletion)
	}
	return right
}

// TestKill kills a store at random moments and looks each time for what was
// promised: what was acknowledged is there under the same id and key, no id
// is given twice, and whoever comes back with any cursor gets all that was acknowledged
// after it.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "edgechat.db")
	rooms := make(map[string][]*given)
	byID := make(map[string]*given)
	unsaid := make(map[string][]*given) // by room, the revisions during which a child was killed
	acked := 0
	for round := range *kills {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Hour, func() {})
		lines := bufio.NewScanner(out)
		var begun *given
		var begunIn string
		for first := true; lines.Scan(); first = false {
			if first {
				timer = time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
			f := strings.Fields(lines.Text())
			if len(f) != 4 && !(len(f) == 5 && f[0] == "g") {
				t.Fatalf("line %q", lines.Text())
			}
			id, err := codec.ParseID(f[2])
			if err != nil {
				t.Fatal(err)
			}
			g := byID[f[1]+f[2]]
			switch {
			case f[0] == "t":
				begun, begunIn = &given{key: f[3], target: f[2]}, f[1]
			case f[0] == "a" && (g == nil || g.key != f[3]):
				t.Fatalf("round %d: acknowledged %q, given %+v", round, lines.Text(), g)
			case f[0] == "a":
				g.acked = true
				acked++
			case g != nil:
				t.Fatalf("round %d: id %s of %s was given to %s and to %s", round, f[2], f[1], g.key, f[3])
			default:
				g = &given{id: id, key: f[3]}
				if len(f) == 5 {
					g.target, begun = f[4], nil
				}
				byID[f[1]+f[2]] = g
				rooms[f[1]] = append(rooms[f[1]], g)
			}
		}
		timer.Stop()
		_ = cmd.Wait()
		if begun != nil {
			unsaid[begunIn] = append(unsaid[begunIn], begun)
		}
		// A look at a copy, so that the next child finds what the kill left.
		next := filepath.Join(t.TempDir(), "edgechat.db")
		copyStore(t, path, next)
		checkPromise(t, next, rooms, unsaid)
	}
	if acked == 0 {
		t.Error("nothing was acknowledged: this tests nothing")
	}
	t.Logf("%d given, %d acknowledged", len(byID), acked)
}

func checkPromise(t *testing.T, path string, rooms, unsaid map[string][]*given) {
	t.Helper()
	s := open(t, killConfig(path))
	defer closeStore(t, s)
	for room, all := range rooms {
		about := make(map[string][]*given, len(all))
		for _, g := range slices.Concat(all, unsaid[room]) {
			about[g.about()] = append(about[g.about()], g)
		}
		for range 20 {
			from := rand.IntN(len(all) + 1) // a client that saw this many, or nothing
			q := codec.Query{After: &codec.ID{Epoch: all[0].id.Epoch}}
			if from > 0 {
				q.After = &all[from-1].id
			}
			if _, known := s.epochs.Load().find(q.After.Epoch); !known {
				continue // there were more starts than epochs are remembered
			}
			p := readPage(t, s, room, q)
			if !p.Recovered {
				t.Fatalf("%s after %s: not recovered", room, q.After)
			}
			got := make(map[codec.ID]codec.Message)
			last := uint64(0)
			for _, m := range p.Messages {
				if m.ID.Offset <= last {
					t.Fatalf("%s: %s follows offset %d", room, m.ID, last)
				}
				last = m.ID.Offset
				got[m.ID] = m
			}
			for i, g := range all {
				switch m, found := got[g.id]; {
				case i < from && found:
					t.Fatalf("%s after %s: got %s again", room, q.After, g.id)
				case i >= from && g.acked && (!found || !g.may(&m, about)):
					t.Fatalf("%s after %s: %s was acknowledged for %q, got %t %+v", room, q.After, g.id, g.key, found, m)
				}
			}
		}
		for _, g := range all {
			if !g.acked {
				continue
			}
			if id, err := s.appended(room, codec.Message{Content: "again"}, g.key, nil); err != nil || id != g.id {
				t.Fatalf("%s: key %s again: %s, %v, was %s", room, g.key, id, err, g.id)
			}
		}
	}
}
