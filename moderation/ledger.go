package moderation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Parts is into how many parts all decisions are divided, by what they are about, so that of two nodes which differ a little only some are told again.
const Parts = 64

// A ledger is what a cluster has decided, as this node knows it: for each rule that there is or was the last decision. All nodes come to
// the same, in whatever order they hear of decisions and however often, since of two about one rule the later holds. Which that is no
// wall clock says alone, since boards have none that can be believed: a stamp is milliseconds since 1970, and greater than each that
// this node has seen. So whoever decides with knowledge of another decision overrules it.
//
// That a rule was ended is a decision, too, which is known for 30 days, and of these at most the newest Config.Most. Rules beyond
// twice Config.Most are not taken from others.
//
// All of it is guarded by mu of Rules.
type ledger struct {
	node    string
	clock   int64 // the greatest stamp
	entries map[string]*decision
	sums    [Parts]uint64
	next    time.Time // when the first of entries ends; zero is never
}

// set puts d in the place of what was decided about the same.
func (l *ledger) set(d *decision) {
	key := d.key()
	if was := l.entries[key]; was != nil {
		l.sums[was.place()] ^= was.sum()
	}
	l.entries[key] = d
	l.sums[d.place()] ^= d.sum()
	l.clock = max(l.clock, d.Stamp)
	if !d.Rule.end.IsZero() && (l.next.IsZero() || d.Rule.end.Before(l.next)) {
		l.next = d.Rule.end
	}
}

// load is set of what a file has: of two rules about the same, as one of before may have, the longer.
func (l *ledger) load(d *decision) {
	if was := l.entries[d.key()]; was != nil && (was.Ended != d.Ended && !d.later(was) || was.Ended == d.Ended && longer(&was.Rule, &d.Rule) == &was.Rule) {
		return
	}
	l.set(d)
}

func (l *ledger) forget(d *decision) {
	l.sums[d.place()] ^= d.sum()
	delete(l.entries, d.key())
}

// decide makes a decision of this node about rule.
func (l *ledger) decide(rule Rule, ended bool, now time.Time) *decision {
	l.clock = max(l.clock+1, now.UnixMilli())
	d := &decision{Rule: rule, Stamp: l.clock, Node: l.node}
	if ended {
		d.end()
	}
	l.set(d)
	return d
}

// change is what follows of rule, which was made or ended, for all that cannot be beside it.
func (l *ledger) change(rule Rule, ends bool, now time.Time) (decided []*decision) {
	key := (&decision{Rule: rule}).key()
	for k, d := range l.entries {
		if !d.Ended && !d.isEvent() && rule.same(d.Rule) && (ends || k != key) {
			decided = append(decided, d)
		}
	}
	for i, d := range decided {
		x := d.Rule
		x.By, x.Since = rule.By, rule.Since
		decided[i] = l.decide(x, true, now)
	}
	if !ends {
		decided = append(decided, l.decide(rule, false, now))
	}
	return decided
}

// sweep ends what is over, and forgets what was ended long ago. It reports whether anything has changed.
func (l *ledger) sweep(now time.Time) (changed bool) {
	if l.next.IsZero() || now.Before(l.next) {
		return false
	}
	l.next = time.Time{}
	for _, d := range l.entries {
		switch {
		case !d.over(now):
		case d.Ended:
			l.forget(d)
			changed = true
			continue
		default:
			x := *d
			x.end()
			l.set(&x)
			changed = true
			continue
		}
		if !d.Rule.end.IsZero() && (l.next.IsZero() || d.Rule.end.Before(l.next)) {
			l.next = d.Rule.end
		}
	}
	return changed
}

// mostEvents is how many kicks are known at once.
const mostEvents = 256

// prune forgets the oldest of what has ended, beyond most, and of kicks beyond mostEvents.
func (l *ledger) prune(most int) {
	var ended, events []*decision
	for _, d := range l.entries {
		switch {
		case d.isEvent():
			events = append(events, d)
		case d.Ended:
			ended = append(ended, d)
		}
	}
	for _, x := range []struct {
		list []*decision
		most int
	}{{ended, most}, {events, mostEvents}} {
		if len(x.list) <= x.most {
			continue
		}
		slices.SortFunc(x.list, func(a, b *decision) int { return -inOrder(a, b) })
		for _, d := range x.list[x.most:] {
			l.forget(d)
		}
	}
}

// inOrder is that in which decisions were made, as far as that is known.
func inOrder(a, b *decision) int {
	if c := cmp.Or(cmp.Compare(a.Stamp, b.Stamp), cmp.Compare(a.Node, b.Node)); c != 0 {
		return c
	}
	return cmp.Compare(a.key(), b.key())
}

// rules returns those that there are, the oldest first.
func (l *ledger) rules() []Rule {
	var list []*decision
	for _, d := range l.entries {
		if !d.Ended && !d.isEvent() {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, inOrder)
	rules := make([]Rule, len(list))
	for i, d := range list {
		rules[i] = d.Rule
	}
	return rules
}

// kept returns what belongs into the file. A decision is never changed.
func (l *ledger) kept() []*decision {
	list := make([]*decision, 0, len(l.entries))
	for _, d := range l.entries {
		if !d.isEvent() {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, inOrder)
	return list
}

// tell returns what is in some of the parts, as JSON of at most so many bytes each.
func (l *ledger) tell(which *[Parts]bool, most int, now time.Time) (list [][]byte) {
	var b bytes.Buffer
	for _, d := range l.entries {
		if !which[d.place()] {
			continue
		}
		text := d.encoded(now)
		if b.Len() > 0 && b.Len()+len(text)+2 > most {
			b.WriteByte(']')
			list = append(list, bytes.Clone(b.Bytes()))
			b.Reset()
		}
		b.WriteByte("[,"[min(b.Len(), 1)])
		b.Write(text)
	}
	if b.Len() > 0 {
		list = append(list, append(b.Bytes(), ']'))
	}
	return list
}

// take takes decisions of other nodes beside the rules that there are, live, and returns those that are new here; unfit is how many there was no room
// or no sense in.
func (l *ledger) take(parts [][]byte, live, most int, now time.Time) (news []*decision, unfit int) {
	var list []json.RawMessage
	for _, part := range parts {
		var some []json.RawMessage
		if json.Unmarshal(part, &some) != nil {
			unfit++
		}
		list = append(list, some...)
	}
	for _, text := range list {
		d := new(decision)
		if json.Unmarshal(text, d) != nil || d.complete(now) != nil {
			unfit++ // of a version that decides more, or finds names that this one does not know
			continue
		}
		was := l.entries[d.key()]
		if was != nil && !d.later(was) {
			continue
		}
		if !d.Ended && !d.isEvent() && (was == nil || was.Ended) {
			if live >= 2*most {
				unfit++
				continue
			}
			live++
		}
		l.set(d)
		news = append(news, d)
	}
	if len(news) > 0 {
		l.prune(most)
	}
	// What another of these overruled is no news.
	return slices.DeleteFunc(news, func(d *decision) bool { return l.entries[d.key()] != d }), unfit
}
