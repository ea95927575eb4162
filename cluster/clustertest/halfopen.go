package clustertest

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/hub/logtest"
)

// A Net is a network of the test's own.
type Net interface {
	// Do runs f, and what programs it starts, in it.
	Do(f func())
}

// drop has all packets to and from a port of an address lost, in both directions, without a word to either side; what it returns ends that.
func drop(t testing.TB, n Net, address string, port int) (end func()) {
	t.Helper()
	nft := func(rules string) {
		t.Helper()
		var out []byte
		var err error
		n.Do(func() { out, err = exec.Command("nft", rules).CombinedOutput() })
		if err != nil {
			t.Fatalf("nft %s: %v %s", rules, err, out)
		}
	}
	nft(fmt.Sprintf("add table ip lossy; add chain ip lossy in { type filter hook input priority 0; }; add rule ip lossy in ip daddr %s tcp dport %d drop; add rule ip lossy in ip saddr %[1]s tcp sport %[2]d drop", address, port))
	return func() { nft("delete table ip lossy") }
}

// mostCall is how long a call may take, also one whose connection is half open.
const mostCall = 5 * time.Second

// halfOpen has all packets between an engine and its server dropped during a write, a read that blocks, and a look: each fails within five seconds. So do those that
// follow, which connect. Once packets pass again, all works, and nothing was executed twice. The engine is used within n.
func halfOpen(t *testing.T, n Net, address string, port int, e cluster.Engine) {
	inside := func(f func() error) { // connections are made by who calls first, and stay where they were made
		t.Helper()
		var err error
		n.Do(func() { err = f() })
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	var st cluster.State
	inside(func() (err error) { st, err = e.State(ctx); return err })
	n.Do(func() { FirstEpoch(t, e, st) })
	inside(func() error { _, err := e.Append(ctx, st.Run, 0, Items("den", "1", "k1")); return err })
	var first []cluster.Entry
	inside(func() (err error) { first, err = e.After(ctx, 0); return err })
	if len(first) != 1 {
		t.Fatalf("%d entries", len(first))
	}
	position, items := first[0].Position, []cluster.Item(nil)
	calls := []struct {
		what      string
		call      func() error
		was, made within // over a connection that was, and over one that is made
	}{
		{what: "write", call: func() error { _, err := e.Append(ctx, st.Run, 0, items); return err }},
		{what: "read", call: func() error { _, err := e.After(ctx, position); return err }},
		{what: "look", call: func() error { _, err := e.State(ctx); return err }},
	}
	var all []*within
	for i := range calls {
		c := &calls[i]
		c.was = within{what: "a " + c.what + " over a connection that was failed", most: mostCall, slack: 5 * time.Second}
		c.made = within{what: "a " + c.what + " over one that is made failed", most: mostCall, slack: 5 * time.Second}
		all = append(all, &c.was, &c.made)
	}
	rounds(t, func(round int) {
		content := fmt.Sprint(2 + round)
		items = Items("den", content, "k"+content)
		end := drop(t, n, address, port)
		for _, made := range []bool{false, true} {
			var wg sync.WaitGroup
			for i := range calls {
				wg.Go(func() {
					c := &calls[i]
					w, began, err := &c.was, time.Now(), error(nil)
					if !made {
						err = c.call()
					} else { // one after the other: a network has one thread
						w = &c.made
						n.Do(func() { began = time.Now(); err = c.call() })
					}
					w.took(t, time.Since(began))
					if err == nil {
						t.Errorf("a %s did not fail", c.what)
					}
				})
			}
			wg.Wait()
		}
		end()
		var out []cluster.Outcome
		logtest.Eventually(t, "it writes again", func() bool {
			var err error
			n.Do(func() {
				ctx, cancel := context.WithTimeout(ctx, mostCall)
				defer cancel()
				out, err = e.Append(ctx, st.Run, 0, items)
			})
			return err == nil
		})
		if len(out) != 1 || out[0].Offset != uint64(2+round) {
			t.Fatalf("it is %+v", out)
		}
		position = out[0].Position
		for _, f := range []func() error{calls[1].call, calls[2].call} { // over connections that the next round has cut
			inside(f)
		}
	}, all...)
}

// FirstEpoch opens the first epoch of an engine that nobody else uses.
func FirstEpoch(t testing.TB, e cluster.Engine, st cluster.State) {
	t.Helper()
	_, err := e.Lead(t.Context(), st.Run, "node")
	if err == nil {
		err = e.Open(t.Context(), st.Run, "node", cluster.Epoch{N: 1, Name: "first", Start: 1}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}
