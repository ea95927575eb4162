package chat

import (
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestFullLink: twenty members share a link of 100 Mbit/s, and one more, who does not, writes as fast as he can, far more
// than the link takes twenty times. He is slowed down to that; everyone stays and has all of it, also while the link,
// and not they, is what is slow.
func TestFullLink(t *testing.T) {
	const members, n = 20, 600
	net := edgetest.NewNet(t)
	var out []byte
	var err error
	net.Do(func() { // tc-tbf(8)
		out, err = exec.Command("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "100mbit", "burst", "128kb", "latency", "200ms").CombinedOutput()
	})
	if err != nil {
		t.Skipf("no link of that speed: tc: %v, %s", err, out)
	}
	at := net.Listen()
	r := newRig(t)
	srv, served := &http.Server{Handler: r.rt}, make(chan error, 1)
	doors := r.rt.Listen(at)
	go func() { served <- srv.Serve(doors) }()
	t.Cleanup(func() { _ = srv.Close(); <-served })
	join := func(i int) *edgetest.Client {
		c, err := net.Dial("192.0.2."+strconv.Itoa(10+i), at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		client := edgetest.NewClient(t, c)
		client.Timeout = 60 * time.Second
		u, _ := url.Parse("ws://x/chat/room/den?username=m" + strconv.Itoa(i))
		client.Raw([]byte(edgetest.Handshake(u, jsonHeader)))
		if client.ReadResponse(); client.Response.StatusCode != 101 {
			t.Fatal(client.Response.Status)
		}
		return client
	}
	var readers sync.WaitGroup
	for i := range members {
		c := join(i)
		c.JSONOf("subscribed")
		readers.Go(func() { checkStream(t, c, edgetest.OpText, 1, n) })
	}
	began := time.Now()
	pour(t, r.room("den", "username=fast", jsonHeader), n, strings.Repeat("x", 4000))
	readers.Wait()
	took, s := time.Since(began), r.hub.Stats()
	t.Logf("%d messages of 4 KB to %d in %v: %+v", n, members, took, s)
	if s.Lost > 0 || s.Lagged > 0 || r.rt.Stats().Slow > 0 {
		t.Errorf("%d lost, %d fell out of the log, %d too slow", s.Lost, s.Lagged, r.rt.Stats().Slow)
	}
	if s.Slowed == 0 {
		t.Error("the publisher was not slowed down")
	}
	if took < time.Second { // 50 MB
		t.Errorf("that took %v: it is no link of 100 Mbit/s", took)
	}
}
