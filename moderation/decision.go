package moderation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// Kinds of decisions that last for moments, and are never rules: connections end by them, on each node as it hears of them.
const (
	kindKick Kind = "kick"
	kindOut  Kind = "out" // of all in a room that is closed and may be entered again at once
)

const (
	// eventLife is how long a node that did not hear of a kick may still learn of it.
	eventLife = 10 * time.Second
	// remembered is how long it is known that something was ended, so that a node which was away for less does not bring it back.
	remembered      = 30 * 24 * time.Hour
	rememberedEvent = time.Hour
	// maxStamp is beyond every clock: what has more was damaged.
	maxStamp = 1 << 53
)

// A decision is a rule as all nodes of a cluster have it, or that there is none any more. Of two about the same the later holds.
type decision struct {
	Rule
	Stamp int64  `json:"stamp"`           // when it was made, see ledger
	Node  string `json:"node,omitempty"`  // where; "" by a server that was alone then
	Ended bool   `json:"ended,omitempty"` // there is no such rule; Left is how long that is known
}

// key is what a decision is about.
func (d *decision) key() string {
	return strings.Join([]string{string(d.Kind), d.Room, d.Identity, d.Name, d.Address}, "\x00")
}

// isEvent reports whether d is no rule.
func (d *decision) isEvent() bool { return d.Kind == kindKick || d.Kind == kindOut }

// later reports whether d holds rather than x, which is about the same. That is so on every node.
func (d *decision) later(x *decision) bool {
	if c := cmp.Or(cmp.Compare(d.Stamp, x.Stamp), cmp.Compare(d.Node, x.Node)); c != 0 {
		return c > 0
	}
	return d.Ended && !x.Ended // its time is over, by a clock that knows better
}

// memory is how long it is known that d has ended.
func (d *decision) memory() time.Duration {
	if d.isEvent() {
		return rememberedEvent
	}
	return remembered
}

// end makes d one that has ended.
func (d *decision) end() {
	d.Ended, d.Reason = true, ""
	d.Rule = d.lasting(d.memory())
}

// sum is of what d is about and how it was decided: not of its time that is left, which each node knows a little differently.
func (d *decision) sum() uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%d\x00%s\x00%t", d.key(), d.Stamp, d.Node, d.Ended)
	return h.Sum64()
}

// place returns which of the parts d belongs to.
func (d *decision) place() int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.key()))
	return int(h.Sum64() >> 32 % Parts)
}

var errDecision = errors.New("it was not made by a node")

// complete checks a decision that was read, and gives it its end.
func (d *decision) complete(now time.Time) error {
	if d.Stamp <= 0 || d.Stamp > maxStamp || (d.Ended || d.isEvent()) && d.Left <= 0 {
		return errDecision
	}
	if err := d.check(); err != nil {
		return err
	}
	if d.nobody != nil {
		return d.nobody
	}
	if d.Address != "" {
		d.Address = d.address.String()
	}
	if d.Left > 0 {
		left := time.Duration(d.Left) * time.Millisecond
		if d.Ended {
			left = min(left, d.memory())
		}
		d.Rule.end = now.Add(left)
	}
	return nil
}

// encoded returns d as it is now.
func (d *decision) encoded(now time.Time) []byte {
	x := *d
	x.Rule = d.at(now)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // which would make six bytes of one
	if err := e.Encode(&x); err != nil {
		panic(err) // there is nothing in it that has no form
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
