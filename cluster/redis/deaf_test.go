package redis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgechat/cluster/clustertest"
	"edgechat/codec"
	"edgechat/hub/logtest"
)

// meeting returns two nodes, and who the second is told of.
func meeting(t *testing.T, s clustertest.Server) ([]*clustertest.Node, *clustertest.Crowd) {
	list := nodes(t, s, 2)
	told := clustertest.NewCrowd(t)
	list[0].Log().Meet(clustertest.NewCrowd(t))
	list[1].Log().Meet(told)
	return list, told
}

func join(n *clustertest.Node, name string) {
	n.Log().Announced("den", &codec.Event{Type: codec.TypeJoined, Username: name, Time: time.Now().UnixMilli()})
}

func wait(t *testing.T, c *clustertest.Crowd, what string, want int) {
	t.Helper()
	logtest.Eventually(t, what, func() bool { n, joined, left := c.Is(); return n == want && joined == left+n })
}

// TestDeaf: after a failover the subscriptions stand at the old primary still, which is well and tells them nothing. They are given up, since a node
// hears itself.
func TestDeaf(t *testing.T) {
	t.Parallel()
	p := failing(t)
	list, told := meeting(t, p)
	join(list[0], "ann")
	wait(t, told, "ann is there", 1)
	p.CaughtUp(p.Primary, p.Replica)
	p.Promote(p.Replica)
	p.Proxy.To(p.Replica.Socket())
	old := p.Primary
	old.do(t, "REPLICAOF", "127.0.0.1", "1") // calls are answered there no more, subscriptions stay
	logtest.Eventually(t, "the nodes are elsewhere", func() bool {
		return list[0].Log().Status().State.Run != old.info(t)["run_id"] && list[0].Log().Ready() == nil
	})
	if n := old.info(t)["pubsub_channels"]; n != "1" && list[1].Log().Stats().Deaf == 0 { // unless it took that long that they are given up already
		t.Fatalf("%s subscriptions are at the old primary", n)
	}
	join(list[0], "bob")
	wait(t, told, "bob is there", 2)
	if n := list[1].Log().Stats().Deaf; n == 0 {
		t.Error("no subscription was given up")
	}
}

// TestOutputLimit: the server cuts subscribers that have much to read, and what is broadcast meanwhile is lost. In the end who is there is known.
func TestOutputLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, "--client-output-buffer-limit", "pubsub 1kb 0 0")
	list, told := meeting(t, s)
	join(list[0], "ann")
	wait(t, told, "ann is there", 1)
	e := s.Engine(t)
	defer e.Close()
	for i := range 3 {
		was := list[1].Log().Stats().Deaf
		if err := e.Broadcast(t.Context(), []byte(strings.Repeat("x", 200_000))); err != nil {
			t.Fatal(err)
		}
		join(list[0], fmt.Sprint("bob", i))
		wait(t, told, "bob is there", 2+i)
		logtest.Eventually(t, "it was cut", func() bool { return list[1].Log().Stats().Deaf > was })
	}
}

// TestLongAnswer: a node that was away has more to read than the server gives a client at once, which cuts it. It asks for less.
func TestLongAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, "--client-output-buffer-limit", "normal 256kb 0 0")
	list := nodes(t, s, 2)
	list[1].Stop(t)
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint(i, strings.Repeat("x", 4000)))
		list[0].SayTaken(t, "den", want[i], fmt.Sprint(i))
	}
	list[1].Begin(t)
	same(t, list, want...)
}

// TestSilence: see clustertest.Silence.
func TestSilence(t *testing.T) {
	t.Parallel()
	_ = clustertest.Silence(t, serve(t), deafAfter) // which says that there is one
}
