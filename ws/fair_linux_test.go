package ws

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"edgechat/internal/edgetest"
)

// hold has the only loop of rt do nothing until release is called, so that all that comes
// meanwhile is there at once.
func hold(rt *Router) (release func()) {
	held, until := make(chan struct{}), make(chan struct{})
	rt.reactors[0].Post(func() { close(held); <-until })
	<-held
	return func() { close(until) }
}

// TestDoorHearsAll: a hundred that connect and say nothing, more than a turn accepts,
// keep nobody from coming in behind them.
func TestDoorHearsAll(t *testing.T) {
	rt, url := loopRig(t, Config{})
	release := hold(rt)
	for range 100 {
		rawClient(t, url[:len(url)-1])
	}
	c := rawClient(t, url[:len(url)-1])
	c.Raw([]byte(strings.Replace(exampleHead, "/react", "/", 1) + masked(0x81, "heard")))
	release()
	c.ReadResponse()
	c.ExpectText("heard")
	if rt.Stats().PutOff == 0 {
		t.Error("it was not counted that the door had more than its share")
	}
}

// A chronicle notes who said something, in the order in which it was heard.
type chronicle struct {
	mu   sync.Mutex
	said []string
}

type noted struct {
	c    *Conn[string]
	into *chronicle
}

func (s noted) Receive(msg string) {
	s.into.mu.Lock()
	defer s.into.mu.Unlock()
	s.into.said = append(s.into.said, msg)
	if msg == "quiet" {
		_ = s.c.SendPayload(false, []byte("heard"))
	}
}
func (s noted) Reject(error) { s.Receive("flood") }
func (s noted) Closed(error) {}

// TestShare: whoever has sent thousands of frames, of whatever kind, is heard in shares,
// between which others get theirs.
func TestShare(t *testing.T) {
	for name, flood := range map[string]string{
		"messages": masked(0x81, "flood"), "invalid ones": masked(0x81, "bad"), "pings": masked(0x89, "") + masked(0x81, "flood"),
		"fragments": masked(0x01, "f") + strings.Repeat(masked(0x00, "l"), 500) + masked(0x80, "ood"),
	} {
		t.Run(name, func(t *testing.T) {
			into := new(chronicle)
			rt := newRouter(t, Config{loops: 1})
			React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
				return noted{c, into}, nil
			}})
			url := serve(t, rt) + "/"
			flooder, quiet := edgetest.Dial(t, url), edgetest.Dial(t, url)
			release := hold(rt)
			flooder.Raw([]byte(strings.Repeat(flood, 60_000/len(flood))))
			quiet.Text("quiet")
			release()
			quiet.ExpectText("heard")
			into.mu.Lock()
			defer into.mu.Unlock()
			// What gws has read goes on to be heard: 512 bytes are 85 frames at most.
			if before := slices.Index(into.said, "quiet"); before > frameBudget+85 {
				t.Errorf("%d messages were heard first", before)
			}
		})
	}
}

// TestAnswersTogether: what a connection gets back for one share of a turn, and
// what others send it at once, is one write.
func TestAnswersTogether(t *testing.T) {
	conns := make(chan *Conn[string], 1)
	rt := newRouter(t, Config{loops: 1, MaxPending: 1 << 20})
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		conns <- c
		return moody{c}, nil
	}})
	client := edgetest.Dial(t, serve(t, rt)+"/")
	c := <-conns
	const total = 5000
	before := rt.Stats().Writes
	release := hold(rt)
	client.Raw([]byte(strings.Repeat(masked(0x89, ""), total)))
	release()
	for range total {
		client.Expect(edgetest.OpPong)
	}
	if n := rt.Stats().Writes - before; n > total/30 {
		t.Errorf("%d pongs in %d writes", total, n)
	}
	before = rt.Stats().Writes
	release = hold(rt)
	for n := range 500 { // receipts, for one, which another goroutine sends
		if err := c.SendPayload(false, fmt.Append(nil, n)); err != nil {
			t.Fatal(err)
		}
	}
	release()
	for n := range 500 {
		client.ExpectText(fmt.Sprint(n))
	}
	if n := rt.Stats().Writes - before; n > 5 {
		t.Errorf("500 frames that were sent at once in %d writes", n)
	}
}

// TestUrgentData: what stands behind TCP's urgent data is read, though the read before
// it came back short.
func TestUrgentData(t *testing.T) {
	rt, url := loopRig(t, Config{})
	c := edgetest.Dial(t, url)
	raw, err := c.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	release := hold(rt)
	c.Text("before")
	if err := raw.Control(func(fd uintptr) { err = syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Text("behind")
	release()
	c.ExpectText("before")
	c.ExpectText("behind")
}
