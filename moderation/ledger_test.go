package moderation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLedger has three nodes decide at random about few, while a fifth of what they say is lost, one is away for a time, and all are started again: in the end all
// have the same, which is on their disks.
func TestLedger(t *testing.T) {
	f := newFleet(t, 3, Config{})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	f.lose = func() bool { return rnd.IntN(5) == 0 }
	acts := []Act{
		{Act: ActBan, Name: "Bob"}, {Act: ActBan, Name: "bob", Reason: "again"}, {Act: ActUnban, Name: "Bob"}, {Act: ActBan, Identity: "Eve", For: "1h"},
		{Act: ActUnban, Identity: "Eve"}, {Act: ActSlow, Room: "den", Every: "10s"}, {Act: ActSlow, Room: "den", Off: true},
		{Act: ActClose, Room: "den", For: "1d"}, {Act: ActOpen, Room: "den"}, {Act: ActMute, Address: "192.0.2.7"}, {Act: ActKick, Name: "Bob"},
	}
	for k := range 200 {
		f.away[2] = k > 50 && k < 150
		r := f.nodes[rnd.IntN(3)]
		o, err := Parse(acts[rnd.IntN(len(acts))])
		if err != nil {
			t.Fatal(err)
		}
		_, _ = r.Do("test", o, nil) // that there is none to be ended is an answer, too
		if k%40 == 39 {
			f.beat()
		}
	}
	f.settle()
	f.same("after all that")
	want := shown(f.nodes[0])
	f.restart()
	f.same("started again")
	if got := shown(f.nodes[0]); got != want {
		t.Errorf("over the restart:\n%sof\n%s", got, want)
	}
	if !f.beat() {
		t.Error("after a restart nodes are not alike")
	}
}

// TestDecisionsMeet: who knows of a decision overrules it, whatever his clock says; of two that know nothing of each other one holds, on all nodes the same.
func TestDecisionsMeet(t *testing.T) {
	f := newFleet(t, 2, Config{})
	ahead := time.Now().Add(24 * time.Hour).UnixMilli()
	for _, r := range f.nodes { // a third node has a clock that is ahead
		r.Merge([][]byte{fmt.Appendf(nil, `[{"rule":"ban","name":"Bob","stamp":%d,"node":"node2","by":"x"}]`, ahead)})
	}
	if code(f.nodes[1].Enter("", bob)) == "" {
		t.Fatal("banned on one node, and let in at the other")
	}
	do(t, f.nodes[1], Act{Act: ActUnban, Name: "Bob"})
	if shown(f.nodes[0])+shown(f.nodes[1]) != "" {
		t.Errorf("banned still:\n%s%s", shown(f.nodes[0]), shown(f.nodes[1]))
	}
	f.away[0] = true
	do(t, f.nodes[0], Act{Act: ActBan, Name: "Bob", Reason: "by 0"})
	do(t, f.nodes[1], Act{Act: ActBan, Name: "Bob", Reason: "by 1"})
	f.away[0] = false
	f.settle()
	f.same("two at once")
	if n := len(f.nodes[0].List("")); n != 1 {
		t.Errorf("%d rules", n)
	}
}

// TestEndedStaysEnded: what was ended, or is over, while a node was away is so on that, too, as it returns, for as long as is said; an event is obeyed once.
func TestEndedStaysEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, Config{})
		obeyed := 0
		f.nodes[1].Obey(func(Rule) { obeyed++ })
		time.Sleep(time.Until(since) + time.Hour)
		do(t, f.nodes[0], Act{Act: ActBan, Name: "Bob"})
		do(t, f.nodes[0], Act{Act: ActMute, Name: "Bob", For: "1h"})
		do(t, f.nodes[0], Act{Act: ActKick, Name: "Bob"})
		if obeyed != 3 {
			t.Errorf("obeyed %d times, want 3", obeyed)
		}
		f.away[1] = true
		do(t, f.nodes[0], Act{Act: ActUnban, Name: "Bob"})
		time.Sleep(29 * 24 * time.Hour)
		f.away[1] = false
		if len(f.nodes[1].List("")) != 1 {
			t.Errorf("away it has\n%s", shown(f.nodes[1]))
		}
		f.settle()
		f.same("back")
		if shown(f.nodes[0]) != "" || obeyed != 3 {
			t.Errorf("%s; obeyed %d times", shown(f.nodes[0]), obeyed)
		}
		if n := f.nodes[0].Stats().Ended; n != 2 {
			t.Errorf("%d are remembered, want 2", n)
		}
		time.Sleep(2 * 24 * time.Hour)
		f.settle()
		if n := f.nodes[0].Stats().Ended + f.nodes[1].Stats().Ended; n != 2 { // the mute was over an hour later, on both
			t.Errorf("%d are remembered", n)
		}
		time.Sleep(31 * 24 * time.Hour)
		f.settle()
		if n := f.nodes[0].Stats().Ended + f.nodes[1].Stats().Ended; n != 0 {
			t.Errorf("%d are remembered for ever", n)
		}
	})
}

// TestOverruledAtOnce: of a ban and its end that come together nobody is put out.
func TestOverruledAtOnce(t *testing.T) {
	f := newFleet(t, 1, Config{})
	f.nodes[0].Obey(func(rule Rule) { t.Errorf("obeyed %+v", rule) })
	ban, end := `[{"rule":"ban","name":"Bob","stamp":1,"by":"x"}]`, `[{"rule":"ban","name":"Bob","stamp":2,"by":"x","ended":true,"left_ms":1000}]`
	f.nodes[0].Merge([][]byte{[]byte(ban), []byte(end)})
	if shown(f.nodes[0]) != "" {
		t.Error(shown(f.nodes[0]))
	}
}

// TestOverByClock: a rule whose time is over is so on a node, too, that thinks there is some left, since its clock stood still while it was off.
func TestOverByClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, Config{})
		do(t, f.nodes[0], Act{Act: ActBan, Name: "Bob", For: "1h"})
		f.away[1] = true
		r := f.nodes[1]
		r.mu.Lock()
		for _, d := range r.ledger.entries {
			x := *d
			x.Rule = x.lasting(10 * time.Hour)
			r.ledger.set(&x)
		}
		r.changedLocked()
		r.mu.Unlock()
		time.Sleep(2 * time.Hour)
		if len(f.nodes[0].List("")) != 0 || len(f.nodes[1].List("")) != 1 {
			t.Fatalf("%s%s", shown(f.nodes[0]), shown(f.nodes[1]))
		}
		f.away[1] = false
		f.settle()
		if shown(f.nodes[0])+shown(f.nodes[1]) != "" {
			t.Errorf("it holds again:\n%s%s", shown(f.nodes[0]), shown(f.nodes[1]))
		}
	})
}

// TestLedgerBounds: rules of others are taken up to twice as many as one may make, and as many that were ended are remembered as one may make.
func TestLedgerBounds(t *testing.T) {
	f := newFleet(t, 3, Config{Most: 10})
	f.away = []bool{true, true, true}
	for i, r := range f.nodes {
		for k := range 10 {
			do(t, r, Act{Act: ActBan, Name: fmt.Sprint("name", i, k)})
		}
	}
	f.away = make([]bool, 3)
	for range 5 {
		f.beat()
	}
	for i, r := range f.nodes {
		if n := len(r.List("")); n != 20 || r.Stats().Unfit == 0 {
			t.Errorf("node %d has %d rules, and could not take %d", i, n, r.Stats().Unfit)
		}
		if _, err := r.Do("test", order(t, Act{Act: ActBan, Name: "more"}), nil); err == nil {
			t.Error("one more is made")
		}
	}
	r := f.nodes[0]
	for _, rule := range r.List("") {
		do(t, r, Act{Act: ActUnban, Name: rule.Name})
	}
	if n := r.Stats().Ended; n != 10 {
		t.Errorf("%d are remembered, want 10", n)
	}
	for k := range 2 * mostEvents {
		do(t, r, Act{Act: ActKick, Name: fmt.Sprint("k", k)})
	}
	if n := len(r.ledger.entries); n != 10+mostEvents {
		t.Errorf("%d entries", n)
	}
}

// TestAloneAndBack: a file of a server that was alone is the beginning of a node's, and copies of it are the same decisions; a server that is alone reads that of a
// node, and writes what the version before reads.
func TestAloneAndBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules")
	alone := open(t, Config{Path: path})
	do(t, alone, Act{Act: ActBan, Name: "Bob", For: "1h"})
	do(t, alone, Act{Act: ActMute, Name: "Eve"})
	closeRules(t, alone)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, 2, Config{})
	for i := range f.nodes {
		closeRules(t, f.nodes[i])
		if err := os.WriteFile(f.cfgs[i].Path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		f.nodes[i] = open(t, f.cfgs[i])
	}
	if !f.beat() || code(f.nodes[1].Enter("", bob)) == "" {
		t.Error("copies of one file are not the same")
	}
	do(t, f.nodes[0], Act{Act: ActUnmute, Name: "Eve"})
	closeRules(t, f.nodes[0])
	if file, _ = os.ReadFile(f.cfgs[0].Path); !strings.HasPrefix(string(file), "edgechat rules 2\n") || strings.Count(string(file), "\n") != 4 {
		t.Errorf("a node writes\n%s", file)
	}
	alone = open(t, Config{Path: f.cfgs[0].Path})
	if shown(alone) != "ban  name \"Bob\"  test\n" || alone.Warning() != nil {
		t.Errorf("alone again: %s, %v", shown(alone), alone.Warning())
	}
	do(t, alone, Act{Act: ActBan, Identity: "Ann"})
	closeRules(t, alone)
	if file, _ = os.ReadFile(f.cfgs[0].Path); !strings.HasPrefix(string(file), "edgechat rules 1\n") || strings.Contains(string(file), "stamp") {
		t.Errorf("alone it writes\n%s", file)
	}
	f.nodes[0] = open(t, f.cfgs[0])
	if _, err := Open(Config{Node: "x"}); err == nil {
		t.Error("a node that tells nobody")
	}
}

// TestForeignParts: whatever comes that no node has said changes nothing and is counted.
func TestForeignParts(t *testing.T) {
	f := newFleet(t, 1, Config{})
	r := f.nodes[0]
	for _, part := range []string{
		"", "x", "{}", `[1]`, `[{"rule":"ban","name":"Bob","by":"x"}]`, `[{"rule":"ban","name":"Bob","stamp":9223372036854775807}]`,
		`[{"rule":"shadow","name":"Bob","stamp":1}]`, `[{"rule":"kick","name":"Bob","stamp":1}]`, `[{"rule":"ban","name":"Bob","stamp":1,"ended":true}]`,
		`[{"rule":"ban","stamp":1}]`, `[{"rule":"ban","address":"127.0.0.1","stamp":1}]`, `[{"rule":"slow","room":"den","stamp":1}]`, `[{"rule":"ban","name":"\u0000","stamp":1}]`,
	} {
		before := r.Stats().Unfit
		r.Merge([][]byte{[]byte(part)})
		if r.Stats().Unfit != before+1 || len(r.ledger.entries) != 0 {
			t.Errorf("%s: %+v", part, r.Stats())
		}
	}
	r.Merge([][]byte{[]byte(`[{"rule":"ban","name":"Bob","stamp":1,"by":"x"}]`)})
	if code(r.Enter("", bob)) == "" || errors.Is(r.Warning(), ErrNewer) {
		t.Error("what a node says is not taken")
	}
}
