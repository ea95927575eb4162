package ws

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

func TestReserveSize(t *testing.T) {
	for _, c := range []struct {
		limit int
		want  reserve
	}{
		{0, reserve{1 << 30, 1<<30 - 64, 1<<30 - 32, 1<<30 - 16}},
		{65536, reserve{65536, 65472, 65504, 65520}},
		{256, reserve{256, 192, 224, 240}},
		{40, reserve{40, 30, 35, 38}},
	} {
		if got := newReserve(c.limit); got != c.want {
			t.Errorf("of %d: %v, want %v", c.limit, got, c.want)
		}
	}
}

// fewDescriptors returns a limit under which some more descriptors than are open now are no reserve.
func fewDescriptors(t *testing.T, more int) int {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return (int(f.Fd()) + more) * 4 / 3
}

// answered is edgetest.TryDial for where who is slow to say something has no patience, see newcomer.patience: it tries again.
func answered(t *testing.T, rawURL string) *edgetest.Client {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	var c *edgetest.Client
	awaitThat(t, "for an answer", func() bool {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		c = edgetest.NewClient(t, conn)
		if err := c.Ask(edgetest.Handshake(u)); err != nil {
			_ = conn.Close()
			return false
		}
		t.Cleanup(func() { _ = conn.Close() })
		return true
	})
	return c
}

// TestReserve: when the descriptors but for the reserve are in use, new WebSockets are refused, plain HTTP
// from this machine is answered, and those who are there stay. It is over when somebody leaves.
func TestReserve(t *testing.T) {
	eachReact(t, func(t *testing.T, v variant) {
		log := new(edgetest.Log)
		// A tick of 100 ms, after which who was refused is gone; those who are there may be silent for as long as this takes.
		cfg := v.with(Config{Descriptors: fewDescriptors(t, 100), WriteTimeout: 800 * time.Millisecond, PingInterval: time.Hour, Logger: slog.New(slog.NewTextHandler(log, nil))})
		url, rt, _ := echo(t, cfg, 0)
		var in []*edgetest.Client
		var refused *http.Response
		for refused == nil && len(in) < 100 {
			if c := answered(t, url+v.path); c.Response.StatusCode == http.StatusSwitchingProtocols {
				in = append(in, c)
			} else {
				refused = c.Response
			}
		}
		if len(in) < 3 || refused == nil {
			t.Fatalf("%d came in, then %v", len(in), refused)
		}
		body, err := io.ReadAll(refused.Body)
		if err != nil || refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" || !bytes.Contains(body, []byte(`"code":"unavailable"`)) {
			t.Errorf("refused with %s %q, %v", refused.Status, body, err)
		}
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) { // who was refused may hold a few for a moment
			got, err := askPlain("tcp", strings.TrimPrefix(url, "ws://"))
			if got == http.StatusNotFound {
				break
			} else if time.Now().After(end) {
				t.Fatalf("plain HTTP from this machine: %d, %v", got, err)
			}
		}
		in[0].Text("still here")
		in[0].ExpectText("still here")
		if s := rt.Stats(); s.Crowded == 0 || !s.Crowding || s.RefusedBy[refusal.Unavailable] == 0 || s.AcceptErrors != 0 {
			t.Errorf("%+v", s)
		}
		answered(t, url+v.path)
		if n := strings.Count(log.String(), "no descriptors for more connections"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, log)
		}
		for _, c := range in {
			_ = c.Conn.Close()
		}
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if c := answered(t, url+v.path); c.Response.StatusCode == http.StatusSwitchingProtocols {
				return
			} else if _ = c.Conn.Close(); time.Now().After(end) {
				t.Fatal("nobody comes in after all have left")
			}
		}
	})
}

// TestReserveIsForSome: of those who are not on this machine nobody gets a descriptor of the reserve, and of those
// who are nobody for long who says nothing.
func TestReserveIsForSome(t *testing.T) {
	t.Run("with time to take the answer", func(t *testing.T) { testReserveIsForSome(t, 1<<20) })
	t.Run("without", func(t *testing.T) { testReserveIsForSome(t, 0) })
}

func testReserveIsForSome(t *testing.T, scarce int32) {
	rt := newRouter(t, Config{Descriptors: 8, PingInterval: 1600 * time.Millisecond}) // all of a test's are beyond
	rt.reserve.scarce, rt.reserve.last = scarce, 1<<20
	rt.HTTP("GET", "/plain", func(w http.ResponseWriter, _ *Request) error { _, err := io.WriteString(w, "here"); return err })
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, rt, l)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	awaitThat(t, "for an answer on this machine", func() bool { // to who is quick enough to say something, see newcomer.patience
		got, err := askPlain("tcp", "127.0.0.1:"+port)
		if err == nil && got != 200 {
			t.Fatalf("from this machine: %d", got)
		}
		return err == nil
	})
	silent, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_ = silent.SetDeadline(time.Now().Add(30 * time.Second))
	if len(rt.reactors) > 0 { // net/http has deadlines of its own
		if n, err := silent.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("who says nothing got %d bytes, %v", n, err)
		}
	}
	elsewhere := 0
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			if got, err := askPlain("tcp", net.JoinHostPort(n.IP.String(), port)); got != 503 {
				t.Errorf("from %v: %d, %v", n.IP, got, err)
			}
			elsewhere++
		}
	}
	if elsewhere == 0 {
		t.Log("this machine has no address but loopback: only a unix socket is tried")
	}
	path := filepath.Join(t.TempDir(), "s")
	u, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: rt}
	go func() { _ = srv.Serve(rt.Listen(u)) }() // until srv.Close
	defer srv.Close()
	if got, err := askPlain("unix", path); got != 503 {
		t.Errorf("over a unix socket: %d, %v", got, err)
	}
}

// askPlain asks for /plain, and returns the status of the answer.
func askPlain(network, addr string) (status int, err error) {
	c, err := net.Dial(network, addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprint(c, "GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// A busyListener accepts on a machine that gives the server no time after it has set a deadline.
type busyListener struct{ *net.UnixListener }

type busyConn struct{ *net.UnixConn }

func (l busyListener) Accept() (net.Conn, error) {
	c, err := l.AcceptUnix()
	return busyConn{c}, err
}

func (c busyConn) SetDeadline(at time.Time) error {
	err := c.UnixConn.SetDeadline(at)
	time.Sleep(max(0, min(time.Until(at), 200*time.Millisecond)))
	return err
}

// TestTurnedAwayWhenBusy: who gets no connection gets the answer, however busy the machine is.
func TestTurnedAwayWhenBusy(t *testing.T) {
	rt := newRouter(t, Config{Descriptors: 8})
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, rt, busyListener{l})
	if got, err := askPlain("unix", path); got != 503 {
		t.Errorf("answered with %d, %v", got, err)
	}
}

// TestPeers counts connections by address.
func TestPeers(t *testing.T) {
	url, rt, _ := echo(t, Config{}, 0)
	for range 3 {
		c := edgetest.Dial(t, url+"/react")
		c.Text("x")
		c.ExpectText("x")
	}
	peers := rt.Peers()
	for addr, n := range peers {
		if len(peers) != 1 || !addr.IsLoopback() || n != 3 {
			t.Errorf("%v", peers)
		}
	}
}
