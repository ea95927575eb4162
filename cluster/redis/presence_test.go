package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/codec"
	"edgechat/hub/logtest"
)

// A lossy engine loses one broadcast of five.
type lossy struct{ cluster.Engine }

func (e lossy) Broadcast(ctx context.Context, payload []byte) error {
	if rand.IntN(5) == 0 {
		return nil
	}
	return e.Engine.Broadcast(ctx, payload)
}

type losing struct{ *server }

func (s losing) Engine(t testing.TB) cluster.Engine { return lossy{s.server.Engine(t)} }

// TestPresence has members come and go on three nodes while a fifth of what they broadcast is lost: in the end each node knows who is on the others,
// and has told of each once. A node that stops takes its members along, and so does one that is silent.
func TestPresence(t *testing.T) {
	t.Parallel()
	s := losing{serve(t)}
	list := nodes(t, s, 3)
	crowds := make([]*clustertest.Crowd, len(list))
	for i, n := range list {
		crowds[i] = clustertest.NewCrowd(t)
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
	quiet, err := Open(Config{Address: filepath.Join(s.dir, "s"), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	ghost := `{"node":"ghost","boot":"x","kind":"all","number":1,"part":0,"parts":1,"changes":[{"r":"den","u":"casper","n":1,"t":1}]}`
	if err := quiet.Broadcast(t.Context(), []byte(ghost)); err != nil {
		t.Fatal(err)
	}
	logtest.Eventually(t, "the ghost is there", func() bool { n, _, _ := crowds[0].Is(); return n == len(here[1])+1 })
	want("those of a node that is silent have left", 0, 1)
}
