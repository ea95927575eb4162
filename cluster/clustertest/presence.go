package clustertest

import (
	"fmt"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/hub/logtest"
)

// Presence has members come and go on three nodes while one of each five of their broadcasts is lost: in the end each node knows who is on the others, and has told of each
// once. A node that stops takes its members along, and so does one that is silent.
func Presence(t *testing.T, server Server) {
	s := &lossy{Server: server}
	list := Following(t, s, 3)
	crowds := make([]*Crowd, len(list))
	for i, n := range list {
		crowds[i] = NewCrowd(t)
		n.Log().Meet(crowds[i])
	}
	const members = 40
	here := make([]map[string]bool, len(list))
	for i, n := range list {
		here[i] = map[string]bool{}
		for k := range 5 * members {
			name := fmt.Sprint("n", i, "m", k%members)
			e := &codec.Event{Type: codec.TypeJoined, Username: name, Time: time.Now().UnixMilli()}
			if here[i][name] {
				e.Type = codec.TypeLeft
				delete(here[i], name)
			} else {
				here[i][name] = true
			}
			n.Log().Announced("den", e)
			if k%7 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}
	want := func(what string, nodes ...int) {
		t.Helper()
		for i := range list {
			if list[i].Log() == nil {
				continue
			}
			n := 0
			for _, k := range nodes {
				if k != i {
					n += len(here[k])
				}
			}
			logtest.Eventually(t, what, func() bool {
				present, joined, left := crowds[i].Is()
				return present == n && joined == left+present
			})
		}
	}
	want("all are known", 0, 1, 2)
	list[2].Stop(t)
	want("those of a node that stopped have left", 0, 1)
	quiet := server.Engine(t)
	defer quiet.Close()
	ghost := `{"node":"ghost","boot":"x","kind":"all","number":1,"part":0,"parts":1,"changes":[{"r":"den","u":"casper","n":1,"t":1}]}`
	if err := quiet.Broadcast(t.Context(), []byte(ghost)); err != nil {
		t.Fatal(err)
	}
	logtest.Eventually(t, "the ghost is there", func() bool { n, _, _ := crowds[0].Is(); return n == len(here[1])+1 })
	want("those of a node that is silent have left", 0, 1)
	if s.lost.Load() == 0 {
		t.Error("no broadcast was lost")
	}
}
