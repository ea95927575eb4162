package ws

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgechat/refusal"
)

// TestShutdownAtHandover: whoever net/http has given to a loop that has not come to it yet is
// let in and told to come back, though nobody else is connected: a Shutdown waits for him.
func TestShutdownAtHandover(t *testing.T) {
	rt := newRouter(t, Config{loops: 1, driver: hijackLoop})
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		return moody{c}, nil
	}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	given := make(chan struct{})
	serveHTTP(t, rt, l, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rt.ServeHTTP(w, r)
		close(given)
	})})
	release := hold(rt)
	client := rawClient(t, "ws://"+l.Addr().String())
	client.Raw([]byte(strings.Replace(exampleHead, "/react", "/", 1)))
	<-given
	stopped := make(chan error, 1)
	go func() { stopped <- rt.Shutdown(context.Background(), refusal.CloseServiceRestart, "come back") }()
	awaitThat(t, "for the shutdown", func() bool {
		select {
		case <-rt.halt: // it has waited for nobody
			return true
		default:
			return closing(rt)
		}
	})
	release()
	if client.ReadResponse(); client.Response.StatusCode != 101 {
		t.Fatalf("%s", client.Response.Status)
	}
	if code, reason := client.ExpectClose(); code != refusal.CloseServiceRestart || reason != "come back" {
		t.Errorf("closed with %d %q", code, reason)
	}
	_ = client.Conn.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// closing reports whether somebody is there and is told to go.
func closing(rt *Router) bool {
	all := rt.conns.all(nil)
	return len(all) > 0 && all[0].out.Over()
}

// TestShutdownAtHijack: while a connection is taken from net/http, whose own count of requests
// does not have it any more, a Shutdown waits for it.
func TestShutdownAtHijack(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		if v.path == "/react" && v.driver == autoDriver {
			return // net/http never has it
		}
		rt := newRouter(t, v.with(Config{}))
		ends := make(chan error, 1)
		Handle(rt, Route[string]{Path: "/handle", Decode: decodeText, Handle: func(c *Conn[string]) error {
			for range c.Messages() {
			}
			return nil
		}})
		React(rt, Route[string]{Path: "/react", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
			return &echoSession{c, ends}, nil
		}})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		taken, until := make(chan struct{}), make(chan struct{})
		serveHTTP(t, rt, l, &http.Server{Handler: rt, ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateHijacked {
				close(taken)
				<-until
			}
		}})
		client := rawClient(t, "ws://"+l.Addr().String())
		client.Raw([]byte(strings.Replace(exampleHead, "/react", v.path, 1)))
		<-taken
		stopped := make(chan error, 1)
		go func() { stopped <- rt.Shutdown(context.Background(), refusal.CloseServiceRestart, "come back") }()
		awaitThat(t, "for the shutdown", rt.stopping.Load)
		select {
		case <-stopped:
			t.Error("nobody was waited for")
		case <-time.After(50 * time.Millisecond): // what must not come has had its time
		}
		close(until)
		if client.ReadResponse(); client.Response.StatusCode != 101 {
			t.Fatalf("%s", client.Response.Status)
		}
		if code, _ := client.ExpectClose(); code != refusal.CloseServiceRestart {
			t.Errorf("closed with %d", code)
		}
		_ = client.Conn.Close()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestHandoverAtSweep: who waits for its loop was never silent, however long the server has run.
func TestHandoverAtSweep(t *testing.T) {
	rt, url := loopRig(t, Config{driver: hijackLoop})
	rt.tick.Store(1 << 20)
	release := hold(rt)
	client := rawClient(t, strings.TrimSuffix(url, "/"))
	client.Raw([]byte(strings.Replace(exampleHead, "/react", "/", 1)))
	awaitThat(t, "for the connection", func() bool { return rt.Stats().Open == 1 })
	begun := rt.tick.Load()
	awaitThat(t, "for a sweep", func() bool { return rt.swept.Load() > begun && rt.swept.Load() > 1<<20 })
	release()
	client.ReadResponse()
	client.Text("here")
	client.ExpectText("here")
	if n := rt.Stats().Silent; n != 0 {
		t.Errorf("%d silent", n)
	}
}

// A hearing listener says that Accept was called.
type hearing struct {
	net.Listener
	asked chan struct{}
}

func (h hearing) Accept() (net.Conn, error) {
	h.asked <- struct{}{}
	return h.Listener.Accept()
}

// TestDoorClosesOnClaimed: a newcomer whom one loop has just claimed comes out of Accept though the
// door closes meanwhile, and Accept already asks the listener itself.
func TestDoorClosesOnClaimed(t *testing.T) {
	rt := newRouter(t, Config{loops: 2})
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Shutdown(context.Background(), refusal.CloseServiceRestart, ""); err != nil {
			t.Error(err)
		}
	})
	h := hearing{tcp, make(chan struct{}, 1)}
	d := rt.Listen(tcp).(*door)
	d.Listener = h
	client := rawClient(t, "ws://"+tcp.Addr().String())
	var n *newcomer
	awaitThat(t, "for the newcomer", func() bool {
		rt.lobby.mu.Lock()
		defer rt.lobby.mu.Unlock()
		for w := range rt.lobby.there {
			n = w.(*newcomer)
		}
		return n != nil
	})
	if !rt.lobby.claim(n) { // as his loop does with his first bytes
		t.Fatal("somebody else has him")
	}
	type accepted struct {
		nc  net.Conn
		err error
	}
	out := make(chan accepted, 2)
	go func() { // as net/http does
		for {
			nc, err := d.Accept()
			out <- accepted{nc, err}
			if err != nil {
				return
			}
		}
	}()
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	<-h.asked // the door has been left: who comes now is net/http's
	n.handOn([]byte("hello"))
	d.claimed.Done()
	first := <-out
	if first.err != nil {
		t.Fatalf("he was lost: %v", first.err)
	}
	hello := make([]byte, 5)
	if _, err := io.ReadFull(first.nc, hello); err != nil || string(hello) != "hello" {
		t.Errorf("%q, %v", hello, err)
	}
	_ = first.nc.Close()
	_ = client.Conn.Close()
	if last := <-out; last.err == nil {
		t.Error("somebody else came")
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
