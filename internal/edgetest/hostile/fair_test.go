package hostile

import (
	"fmt"
	"testing"
	"time"
)

// What a quiet pair may wait for a message, and anybody for /healthz, whatever one client
// does: a hundredth of them longer.
const (
	messageLimit = 10 * time.Millisecond
	healthzLimit = 50 * time.Millisecond
)

// attempts is how often it is measured, at most. What the server does to them, it does each time; what holds this machine up for
// some tens of milliseconds, as somebody else on its hardware, comes and goes.
const attempts = 5

// measure measures quiet pairs beside a load on the same server. The control is pairs on another server
// at the same time: what these have to wait is this machine's doing. Each limit has to be kept in one of the attempts.
func measure(t *testing.T, load func(addr string) (end func() string)) {
	t.Helper()
	measureOn(t, func() (*Server, string) { s := serve(t); return s, "" }, func(s *Server, _ string) func() string { return load(s.Addr) })
}

// measureOn is measure with servers of its own, and where they speak TLS.
func measureOn(t *testing.T, serve func() (s *Server, sealed string), load func(s *Server, sealed string) (end func() string)) {
	t.Helper()
	messages, healthz := false, false // kept
	for range attempts {
		loaded, control, what := beside(t, serve, load)
		t.Logf("messages: %v; on another server: %v\n/healthz: %v; on the other: %v\n%s",
			loaded.Messages, control.Messages, loaded.Healthz, control.Healthz, what)
		if min(loaded.Messages.N, control.Messages.N) < 100 || min(loaded.Healthz.N, control.Healthz.N) < 10 {
			continue // next to nothing was measured
		}
		messages = messages || loaded.Messages.P99 <= messageLimit+control.Messages.P99
		healthz = healthz || loaded.Healthz.P99 <= healthzLimit+control.Healthz.P99
		if messages && healthz {
			return
		}
	}
	t.Errorf("want p99 of messages at most %v above the other server's, kept in one of %d: %v; of /healthz %v, kept: %v", messageLimit, attempts, messages, healthzLimit, healthz)
}

// beside measures pairs on a server that has the load, and on one that has nothing else to do.
func beside(t *testing.T, serve func() (*Server, string), load func(s *Server, sealed string) (end func() string)) (loaded, control Latencies, what string) {
	t.Helper()
	busy, busySealed := serve()
	idle, idleSealed := serve()
	pairs := func(s *Server, sealed string) *Child {
		return Start(t, Task{Quiet: &Quiet{Addr: s.Addr, TLS: sealed, Pairs: 4, Every: 20 * time.Millisecond}})
	}
	end := load(busy, busySealed)
	beside, apart := pairs(busy, busySealed), pairs(idle, idleSealed)
	ran, waited := busy.Processors()
	time.Sleep(*long)
	ranThen, waitedThen := busy.Processors()
	beside.End(&loaded)
	apart.End(&control)
	what = fmt.Sprintf("%s; the server used %.2f processors, and waited for %.2f", end(),
		(ranThen-ran).Seconds()/long.Seconds(), (waitedThen-waited).Seconds()/long.Seconds())
	busy.Stop()
	idle.Stop()
	return loaded, control, what
}

// One client that floods, and ten, in a room of their own.
func TestFlood(t *testing.T) {
	for _, of := range Floods {
		for _, n := range []int{1, 10} {
			t.Run(fmt.Sprintf("%s/%d", of, n), func(t *testing.T) {
				measure(t, func(addr string) (end func() string) {
					c := Start(t, Task{Flood: &Flood{Addr: addr, Connections: n, Of: of}})
					return func() string {
						var f Flooded
						c.End(&f)
						return fmt.Sprintf("flooded with %.1f MB, %.1f MB came back, %d were closed", float64(f.Written)/1e6, float64(f.Read)/1e6, f.Closed)
					}
				})
			})
		}
	}
}

// A large room that is talked in.
func TestLargeRoom(t *testing.T) {
	const members = 4000
	measure(t, func(addr string) (end func() string) {
		c := Start(t, Task{Crowd: &Crowd{Addr: addr, Members: members, Every: 100 * time.Millisecond}})
		return func() string {
			var r Crowded
			c.End(&r)
			if r.Heard != r.Said*(members+1) || r.Said == 0 {
				t.Errorf("%d messages were said to %d members, and heard %d times", r.Said, members+1, r.Heard)
			}
			return fmt.Sprintf("%d members got %d messages", members+1, r.Said)
		}
	})
}
