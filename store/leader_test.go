package store

import (
	"errors"
	"fmt"
	"testing"

	"edgechat/codec"
)

// A leader is a log that is followed.
type leader struct {
	n, count uint64
	names    map[uint64]string
	heads    map[string]uint64
	log      []Positioned
}

func newLeader() *leader {
	return &leader{n: 1, names: map[uint64]string{1: "first"}, heads: map[string]uint64{}}
}

func (l *leader) say(room, content string) Positioned {
	return l.put(room, codec.Message{Username: "ann", Content: content, Time: 1, Author: 7}, "")
}

func (l *leader) put(room string, m codec.Message, key string) Positioned {
	l.count++
	l.heads[room]++
	m.ID = codec.ID{Epoch: l.names[l.n], Offset: l.heads[room]}
	x := Positioned{l.n<<epochShift | l.count, codec.Record{Room: room, Message: m, Key: key}}
	l.log = append(l.log, x)
	return x
}

// lose takes away what is behind the first n, and begins an epoch.
func (l *leader) lose(n int) {
	l.log = l.log[:n]
	l.heads, l.count = map[string]uint64{}, 0
	for _, x := range l.log {
		l.heads[x.Room], l.count = x.Message.ID.Offset, x.Position&(1<<epochShift-1)
	}
	l.n++
	l.names[l.n] = fmt.Sprint("epoch", l.n)
}

func apply(t *testing.T, f *Follower, list ...Positioned) {
	t.Helper()
	for i, x := range list {
		done := make(chan codec.Receipt, 1)
		tell := func(r codec.Receipt) { done <- r }
		if i < len(list)-1 {
			tell = nil
		}
		if err := f.Apply(x, tell); errors.Is(err, codec.ErrNoTarget) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if tell != nil {
			if r := <-done; !r.Durable || r.ID != x.Message.ID {
				t.Fatalf("receipt %+v of %s", r, x.Message.ID)
			}
		}
	}
}
