package ws

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/limit"
)

// TestProxiedRequests: requests of a client behind a proxy count as its connections.
func TestProxiedRequests(t *testing.T) {
	rt := newRouter(t, Config{Limits: Limits{PlainPerAddress: 1}})
	asked, until := make(chan struct{}), make(chan struct{})
	rt.HTTP("GET", "/wait", func(w http.ResponseWriter, _ *Request) error { asked <- struct{}{}; <-until; return nil })
	at := strings.Replace(serve(t, rt), "ws:", "http:", 1) + "/wait"
	ask := func(client string) int {
		req, _ := http.NewRequest("GET", at, nil)
		req.Header.Set("X-Forwarded-For", client)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	var wg sync.WaitGroup
	for _, client := range []string{"192.0.2.7", "192.0.2.8", "127.0.0.1", "127.0.0.1"} {
		wg.Go(func() {
			if status := ask(client); status != 200 {
				t.Errorf("%s: %d", client, status)
			}
		})
		<-asked
	}
	if status := ask("192.0.2.7"); status != 429 {
		t.Errorf("another request: %d", status)
	}
	close(until)
	wg.Wait()
	go func() { <-asked }()
	if status := ask("192.0.2.7"); status != 200 {
		t.Errorf("after the first has ended: %d", status)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestFarewells: of a flood that is turned away only so many are waited for, and they are over.
func TestFarewells(t *testing.T) {
	settle(t, Config{Limits: Limits{PlainPerAddress: 1}, PingInterval: 800 * time.Millisecond, CloseTimeout: 100 * time.Millisecond}, func(t *testing.T, v variant, a *town) {
		first := a.dial("192.0.2.7")
		a.await("the first is there", func(s Stats) bool { return s.Plain == 1 })
		var all []net.Conn
		for i := range 300 {
			all = append(all, a.dial("192.0.2.7"))
			if n := a.rt.census.farewells.Load(); n > maxFarewells {
				t.Fatalf("%d are waited for", n)
			}
			if i%50 == 0 {
				if status, _ := a.answer(all[i]); status != 429 {
					t.Errorf("%d: %d", i, status)
				}
			}
		}
		a.await("all were turned away", func(s Stats) bool { return s.Limits.PlainPerAddress == 300 })
		awaitThat(t, "their time is over", func() bool { return a.rt.census.farewells.Load() == 0 })
		for _, c := range append(all, first) {
			_ = c.Close()
		}
	})
}

// TestFrameRate: frames of every kind count, fragments too, and who sends too many is closed.
func TestFrameRate(t *testing.T) {
	frame := func(first byte, text string) []byte { return edgetest.FrameBits(first, []byte(text)) }
	var pieces []byte
	for range 11 {
		pieces = append(pieces, frame(0, "")...)
	}
	for name, flood := range map[string]struct {
		frames []byte
		times  int // that are taken
	}{
		"pings":        {frame(0x89, "x"), 10},
		"pongs":        {frame(0x8a, ""), 10},
		"messages":     {frame(0x81, "hi"), 10},
		"long":         {frame(0x81, strings.Repeat("x", 1000)), 10},
		"fragments":    {append(append(frame(0x01, "a"), frame(0x00, "b")...), frame(0x80, "c")...), 3},
		"empty pieces": {append(append(frame(0x01, "a"), pieces...), frame(0x80, "c")...), 0},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, v variant) {
				url, rt, ends := echo(t, v.with(Config{CloseTimeout: 50 * time.Millisecond, Limits: Limits{Frames: limit.Rate{N: 1, Per: time.Hour, Burst: 10}}}), 0)
				c := edgetest.Dial(t, url+v.path)
				for range flood.times {
					c.Raw(flood.frames)
				}
				if answers := map[string]int{"pings": 10, "messages": 10, "long": 10, "fragments": 3}[name]; answers > 0 {
					for range answers {
						if op, _, err := c.Read(); err != nil || op == edgetest.OpClose {
							t.Fatalf("%d, %v before there was too much", op, err)
						}
					}
				}
				c.Raw(flood.frames)
				if code, reason := c.ExpectClose(); code != 1008 || !strings.HasPrefix(reason, "rate_limited") {
					t.Errorf("closed with %d %q", code, reason)
				}
				_ = c.Conn.Close()
				<-ends
				if s := rt.Stats().Limits.Frames; s != 1 {
					t.Errorf("%d counted", s)
				}
			})
		})
	}
}

// TestCensusAllocs: who comes costs nothing before it is let in.
func TestCensusAllocs(t *testing.T) {
	rt := newRouter(t, Config{Limits: Limits{Plain: 1, PlainPerAddress: 1, Connections: 10}})
	t.Cleanup(func() { _ = rt.Shutdown(t.Context(), 1012, "") })
	if rt.census.enter(7) != nil {
		t.Fatal("the first is refused")
	}
	if n := testing.AllocsPerRun(1000, func() {
		if rt.census.enter(8) == nil {
			t.Fatal("the second is not")
		}
		rt.census.leave(7)
		if rt.census.enter(7) != nil {
			t.Fatal("the first is refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
