package moderation

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A fleet is the rules of some nodes, of which each hears others unless it is away or what was said is lost.
type fleet struct {
	t     *testing.T
	nodes []*Rules
	cfgs  []Config
	away  []bool
	lose  func() bool
}

func newFleet(t *testing.T, n int, cfg Config) *fleet {
	f := &fleet{t: t, nodes: make([]*Rules, n), cfgs: make([]Config, n), away: make([]bool, n), lose: func() bool { return false }}
	for i := range n {
		f.cfgs[i] = cfg
		f.cfgs[i].Node = fmt.Sprint("node", i)
		f.cfgs[i].Path = filepath.Join(t.TempDir(), "rules")
		f.cfgs[i].Spread = func(part []byte) { f.hear(i, part) }
		f.nodes[i] = open(t, f.cfgs[i])
	}
	t.Cleanup(func() {
		for _, r := range f.nodes {
			closeRules(t, r)
		}
	})
	return f
}

// hear has others hear what node i says.
func (f *fleet) hear(i int, part []byte) {
	for k, r := range f.nodes {
		if k != i && r != nil && !f.away[i] && !f.away[k] && !f.lose() {
			r.Merge([][]byte{part})
		}
	}
}

// beat is what nodes do each second: who finds that another has something else asks for the parts that differ. It reports whether all are alike.
func (f *fleet) beat() (alike bool) {
	alike = true
	for i, r := range f.nodes {
		for k, other := range f.nodes {
			if i == k || f.away[i] || f.away[k] {
				continue
			}
			var which [Parts]bool
			mine, theirs := r.Sums(), other.Sums()
			for n := range Parts {
				which[n] = mine[n] != theirs[n]
			}
			if which != [Parts]bool{} {
				alike = false
				for _, part := range other.Tell(which, 2000) {
					if len(part) > 2000 {
						f.t.Errorf("a part of %d bytes", len(part))
					}
					f.hear(k, part)
				}
			}
		}
	}
	return alike
}

// settle beats until all are alike.
func (f *fleet) settle() {
	f.t.Helper()
	for range 60 {
		if f.beat() {
			return
		}
	}
	f.t.Fatal("the nodes do not come to the same")
}

// restart begins all nodes again from their files.
func (f *fleet) restart() {
	for i, r := range f.nodes {
		closeRules(f.t, r)
		f.nodes[i] = nil
	}
	for i := range f.nodes {
		f.nodes[i] = open(f.t, f.cfgs[i])
	}
}

// shown are the rules of a node as text, without what is left of them.
func shown(r *Rules) string {
	var b strings.Builder
	for _, rule := range r.List("") {
		fmt.Fprintf(&b, "%s %s %s %s %s\n", rule.Kind, rule.Room, rule.About(), rule.Reason, rule.By)
	}
	return b.String()
}

func (f *fleet) same(what string) {
	f.t.Helper()
	for i, r := range f.nodes {
		if got, want := shown(r), shown(f.nodes[0]); got != want {
			f.t.Errorf("%s: node %d has\n%sand node 0\n%s", what, i, got, want)
		}
	}
}

func order(t *testing.T, a Act) Order {
	t.Helper()
	o, err := Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
