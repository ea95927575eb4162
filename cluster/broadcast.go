package cluster

import (
	"bytes"
	"context"
	"encoding/json"
)

// A message is what is broadcast.
//
//	change  numbered, one more than the last: who joined and left
//	event   typing, which may be lost
//	beat    the number of the last change, where clients reach the node, and the digest of the ledger
//	ask     of one node: send everyone
//	all     everyone of a node, in parts, as of a number
//	want    of one node: send what the ledger has in parts whose digests are others than these
//	decided what is in the ledger, or was decided just now
//	bye     the node stops
type message struct {
	Node    string          `json:"node"`
	Boot    string          `json:"boot"`
	Kind    string          `json:"kind"`
	Number  uint64          `json:"number,omitempty"`
	Address string          `json:"address,omitempty"` // where clients reach the node
	Of      string          `json:"of,omitempty"`      // of an ask and a want: which node
	Part    int             `json:"part,omitempty"`
	Parts   int             `json:"parts,omitempty"`
	Changes []change        `json:"changes,omitempty"`
	Events  []event         `json:"events,omitempty"`
	Digest  uint64          `json:"digest,omitempty"`
	Sums    []byte          `json:"sums,omitempty"`
	Decided json.RawMessage `json:"decided,omitempty"`
}

type change struct {
	Room     string `json:"r"`
	Name     string `json:"u"`
	Verified bool   `json:"v,omitempty"`
	By       int    `json:"n"` // who joined is 1, who left -1; of an all, how many there are
	Time     int64  `json:"t"`
}

type event struct {
	Room     string `json:"r"`
	Name     string `json:"u"`
	Verified bool   `json:"v,omitempty"`
	Time     int64  `json:"t"`
}

const (
	// PostgreSQL takes less than 8,000 bytes in one.
	mostBroadcast = 7999
	// mostHead is of a broadcast without what it carries.
	mostHead    = 512
	mostPayload = mostBroadcast - mostHead
)

// fitting divides a list into what fits into one broadcast each.
func fitting[T any](list []T) (parts [][]T) {
	begin, size := 0, 0
	for i := range list {
		n := len(encode(&list[i])) + 1
		if size += n; size > mostPayload && i > begin {
			parts = append(parts, list[begin:i:i])
			begin, size = i, n
		}
	}
	if begin < len(list) {
		parts = append(parts, list[begin:])
	}
	return parts
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // which would make six bytes of one
	if err := e.Encode(v); err != nil {
		panic(err) // there is nothing in it that has no form
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// send broadcasts, and reports whether the engine has taken it.
func (p *presence) send(ctx context.Context, m *message) bool {
	m.Node, m.Boot = p.log.cfg.Node, p.boot
	b := encode(m)
	ctx, cancel := context.WithTimeout(ctx, ordinary)
	defer cancel()
	p.log.stats.told.Add(1)
	p.log.stats.toldBytes.Add(uint64(len(b)))
	if err := p.log.engine.Broadcast(ctx, b); err != nil {
		p.log.stats.silent.Add(1)
		return false
	}
	return true
}
