package clustertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/codec"
)

// Items are messages as a node gives them to an engine: content and key of each.
func Items(room string, texts ...string) (list []cluster.Item) {
	for i := 0; i < len(texts); i += 2 {
		content, key := texts[i], texts[i+1]
		rec := codec.Record{Room: room, Message: codec.Message{Username: "ann", Content: content, Time: 1}, Key: key}
		item := cluster.Item{Room: room, Record: codec.AppendRecord(nil, &rec)}
		if key != "" {
			item.Key = cluster.HashOf(room, key)
		}
		list = append(list, item)
	}
	return list
}

// Same waits until all nodes have these messages of a room and no others, under the same ids, byte for byte.
func Same(t *testing.T, nodes []*Node, room string, contents ...string) {
	t.Helper()
	pages := make([]string, len(nodes))
	same := func() bool {
		for i, n := range nodes {
			pages[i] = ""
			p, err := n.Log().Read(room, codec.Query{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range p.Messages {
				pages[i] += fmt.Sprintf("%s %q\n", m.ID, m.Content)
				got = append(got, m.Content)
			}
			if pages[i] != pages[0] || !slices.Equal(got, contents) {
				return false
			}
		}
		return true
	}
	for end := time.Now().Add(patience); !same(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			for i, p := range pages {
				t.Errorf("%s has\n%s", nodes[i].name, p)
			}
			t.Fatalf("%s is not %q on all nodes", room, contents)
		}
	}
}
