package main

import (
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

var cuts = flag.Int("cuts", 24, "how many power cuts TestPowerCut replays, half of them with a small history")

// TestPowerCut records what reaches a card while people talk, through a crash and an orderly stop, and mounts what power cuts at
// random moments would have left of it: all of what was not flushed, nothing of it, half of the writes, or half of the
// sectors. A server that starts on that does so within a second and without a complaint, has what was
// acknowledged, gives no id twice and tells cursors the truth. make powercut does 2,000 of them, in as many talks as it takes.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, history := range []int{50, 100_000} {
		t.Run(fmt.Sprint("history ", history), func(t *testing.T) {
			t.Parallel()
			for done, talk := 0, 0; done < *cuts/2 && !t.Failed(); talk++ {
				// The smaller the buffer, the smaller the log: in every other talk that is short it is used again many times.
				bytes := "4MiB"
				if history == 50 && talk%2 == 0 {
					bytes = "1MiB" // the least
				}
				settings := []string{fmt.Sprint("EDGECHAT_HISTORY=", history), "EDGECHAT_HISTORY_BYTES=" + bytes, "EDGECHAT_REPLAY_LIMIT=10000"}
				// A test of its own, with which its card ends.
				t.Run(fmt.Sprint("talk ", talk), func(t *testing.T) { done += cutTalk(t, history, settings, *cuts/2-done) })
			}
		})
	}
}

// cutTalk cuts one talk at some of its moments, each in one way, and returns how many cuts it made: at most so many.
func cutTalk(t *testing.T, history int, settings []string, most int) int {
	t.Helper()
	record := recordTalk(t, settings)
	var points []int
	for i, s := range record.Steps {
		if s.Kind != faultydisk.Marked {
			points = append(points, i+1)
		}
	}
	if len(points) < min(most, 100) {
		t.Fatalf("there are %d moments in %d steps", len(points), len(record.Steps))
	}
	rand.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	points = points[:min(len(points), most)]
	slices.Sort(points)
	replay, slowest, acked := record.Replay(), time.Duration(0), 0
	first := faultydisk.Keep(rand.IntN(int(faultydisk.Keeps)))
	for i, point := range points {
		c := powerCut{t: t, record: record, steps: point, keep: (first + faultydisk.Keep(i)) % faultydisk.Keeps, history: history, settings: settings}
		took := c.try(replay.Cut(point, c.keep, rand.Uint64()))
		slowest = max(slowest, took)
		acked = max(acked, c.acked)
		if t.Failed() {
			return i + 1
		}
	}
	if acked == 0 {
		t.Error("no message was acknowledged before any cut: nothing is tested")
	}
	t.Logf("%d cuts among %d steps, up to %d acknowledged messages, buffer of %s; the slowest start took %v", len(points), len(record.Steps), acked, settings[1], slowest)
	return len(points)
}

// recordTalk returns what reached a card while people talked, with marks of what they were given ("g") and promised ("a").
func recordTalk(t *testing.T, settings []string) *faultydisk.Record {
	t.Helper()
	card := faultydisk.New(t, 96<<20)
	data := filepath.Join(card.Dir, "data")
	card.Settle()
	card.Record()
	for life, end := range []func(*board){(*board).kill, (*board).stop, (*board).kill} {
		b := startBoard(t, data, settings...)
		var talkers sync.WaitGroup
		for room := range 3 {
			// Dialed here, since it may end the test.
			c := edgetest.Dial(t, fmt.Sprintf("http://%s/chat/room/room%d?username=x", b.addr, room), "Sec-WebSocket-Protocol: edgechat.v1.json")
			talkers.Go(func() { recordRoom(t, card, c, fmt.Sprint("room", room), fmt.Sprint("life", life)) })
		}
		talkers.Wait()
		end(b)
	}
	return card.Recorded()
}

// recordRoom sends some hundred messages, most of them with a key, a few at a time.
func recordRoom(t *testing.T, card *faultydisk.Card, c *edgetest.Client, room, name string) {
	const messages, window = 120, 4
	sent, waiting := 0, 0
	for {
		for ; sent < messages && waiting < window; sent++ {
			text, key := saying(fmt.Sprint(name, "-", sent)), ""
			if sent%4 != 0 {
				key = fmt.Sprintf(`,"idempotency_key":"%s-%d"`, name, sent)
				waiting++
			}
			if _, err := c.Conn.Write(edgetest.Frame(edgetest.OpText, fmt.Appendf(nil, `{"type":"message","content":%q%s}`, text, key))); err != nil {
				t.Errorf("%s: %v", room, err)
				return
			}
		}
		if sent == messages && waiting == 0 {
			return
		}
		op, p, err := c.Read()
		if err != nil {
			t.Errorf("%s: %v", room, err)
			return
		}
		if op != edgetest.OpText {
			continue
		}
		switch m, _ := decode(p); m.Type {
		case "message":
			said, _, _ := strings.Cut(m.Content, ".")
			card.Mark("g " + room + " " + m.ID + " " + said)
		case "ack":
			waiting--
			if !m.Durable {
				t.Errorf("%s: %s", room, p)
			}
			card.Mark("a " + room + " " + m.ID + " " + m.Key)
		}
	}
}

// saying makes a content of a name, some short and some long.
func saying(name string) string {
	return name + "." + strings.Repeat(".", int(crc32.ChecksumIEEE([]byte(name))%1500))
}

// A powerCut is one moment at which the power fails.
type powerCut struct {
	t        *testing.T
	record   *faultydisk.Record
	steps    int
	keep     faultydisk.Keep
	history  int
	settings []string
	acked    int
}

// try starts a server on what is left. A start that took long is tried again, for longer and longer, since this machine may have
// been busy: what the state of the files costs is the least of it.
func (c *powerCut) try(image map[int64][]byte) (took time.Duration) {
	for attempt := range 12 {
		time.Sleep(time.Duration(attempt) * time.Second)
		c.record.Mounted(c.t, image, func(dir string) { took = c.start(dir) })
		if took <= time.Second {
			return took
		}
	}
	c.t.Errorf("%s: the start took %v", c, took)
	return took
}

func (c *powerCut) String() string {
	return fmt.Sprintf("cut after %d steps, %v is kept", c.steps, c.keep)
}

func (c *powerCut) start(dir string) time.Duration {
	l := newLedger(c.t, c.history)
	for _, s := range c.record.Steps[:c.steps] {
		if s.Kind != faultydisk.Marked {
			continue
		}
		switch f := strings.Fields(s.Mark); f[0] {
		case "g":
			l.saw(f[1], f[2], saying(f[3]))
		case "a":
			l.acked(f[1], f[2], saying(f[3]))
		}
	}
	_, c.acked = l.count()
	b := startBoard(c.t, filepath.Join(dir, "data"), c.settings...)
	l.check(b.addr, c.String())
	for room := range l.rooms {
		if status, m := b.post(room, "after the cut"); status == 201 {
			l.saw(room, m.ID, m.Content) // which complains if the id was given before
		} else {
			c.t.Errorf("%s: a post was answered with %d", c, status)
		}
	}
	b.kill()
	if b.log.Has("level=ERROR") {
		c.t.Errorf("%s:\n%s", c, b.log)
	}
	return b.took
}
