package load

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/auth"
	edgechat "edgechat/client"
	"edgechat/internal/edgetest"
	"edgechat/server"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

func do(t *testing.T, cfg Config) *Report {
	t.Helper()
	rep, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// serve runs the real server and returns its URL.
func serve(t *testing.T, cfg server.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners = []net.Listener{l}
	cfg.Data = filepath.Join(t.TempDir(), "data")
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return "ws://" + l.Addr().String()
}

func wantWhole(t *testing.T, rep *Report, published int64) {
	t.Helper()
	if !rep.OK() || rep.Ended {
		text, _ := json.Marshal(rep)
		t.Fatalf("not what was asked for: %s", text)
	}
	if rep.Published < published || published > 0 && rep.Delivered != rep.Expected || rep.Latency.Count != rep.Delivered {
		t.Errorf("published %d, want %d at least; delivered %d of %d; %d latencies", rep.Published, published, rep.Delivered, rep.Expected, rep.Latency.Count)
	}
}

func TestPaced(t *testing.T) {
	t.Parallel()
	url := serve(t, server.Config{})
	for _, msgPack := range []bool{false, true} {
		rep := do(t, Config{URL: url, Clients: 21, Rooms: 3, Publishers: 2, Rate: 40, Duration: 500 * time.Millisecond, Size: 500, MsgPack: msgPack})
		wantWhole(t, rep, 60)
		// 20 messages in each of 3 rooms of 7 members.
		if rep.Connected != 21 || rep.Published != 60 || rep.Expected != 60*7 {
			t.Errorf("connected %d, published %d, expected %d", rep.Connected, rep.Published, rep.Expected)
		}
		if l := rep.Latency; l.P50 <= 0 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max {
			t.Errorf("latency %+v", l)
		}
		if rep.SendLate.Count != rep.Published {
			t.Errorf("%d messages have a lateness", rep.SendLate.Count)
		}
		// Half of the messages have half of the arrivals only because the rooms are of one size.
		if rep.Last.Count != rep.Published || rep.Last.P50 < rep.Latency.P50 || rep.Last.Max != rep.Latency.Max {
			t.Errorf("%d messages came to all, with %+v of %+v", rep.Last.Count, rep.Last, rep.Latency)
		}
		// A room of n members hears of n(n-1)/2 that joined, and of oneself perhaps.
		if rep.Events < 3*21 {
			t.Errorf("%d events", rep.Events)
		}
	}
}

func TestSaturate(t *testing.T) {
	url := serve(t, server.Config{})
	rep := do(t, Config{URL: url, Clients: 12, Rooms: 2, Publishers: 2, Saturate: true, Window: 8, Duration: 500 * time.Millisecond})
	wantWhole(t, rep, 100)
	if rep.Expected != rep.Published*6 || rep.DeliveriesPer < 100 {
		t.Errorf("published %d, expected %d, %f deliveries/s", rep.Published, rep.Expected, rep.DeliveriesPer)
	}
}

// With a rate of 0 the connections are held and nothing is said.
func TestHold(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	rep := do(t, Config{URL: serve(t, server.Config{}), Clients: 5, Rooms: 5, Duration: 300 * time.Millisecond})
	wantWhole(t, rep, 0)
	if rep.Published != 0 || rep.Connected != 5 || time.Since(begin) < 300*time.Millisecond {
		t.Errorf("published %d, connected %d in %v", rep.Published, rep.Connected, time.Since(begin))
	}
}

// A run that is ended early reports what there was, and nothing as lost.
func TestEndedEarly(t *testing.T) {
	t.Parallel()
	url := serve(t, server.Config{})
	for _, saturate := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		var phases []string
		rep, err := Run(ctx, Config{URL: url, Clients: 10, Rooms: 2, Rate: 100, Saturate: saturate, Duration: time.Minute, Progress: func(p Progress) {
			phases = append(phases, p.Phase)
			if p.Phase == "publishing" && p.Delivered > 0 {
				if p.Connected != 10 || p.Published == 0 || p.Lost > 10 {
					t.Errorf("progress %+v", p)
				}
				cancel()
			}
		}})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if !rep.OK() || !rep.Ended || rep.Published == 0 || rep.Delivered != rep.Expected || time.Since(begin) > 50*time.Second {
			t.Errorf("saturate %v: %v OK %v, ended %v, published %d, delivered %d of %d, %v", saturate, phases, rep.OK(), rep.Ended, rep.Published, rep.Delivered, rep.Expected, rep.Disconnected)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Config{URL: url}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended before it began: %v", err)
	}
}

// The server is this very process here, and is found by its socket.
func TestServerProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc")
	}
	url := serve(t, server.Config{})
	rep := do(t, Config{URL: url, Clients: 10, Rooms: 1, Saturate: true, Duration: 300 * time.Millisecond})
	s := rep.Server
	if s.Unknown != "" || s.Pid != os.Getpid() || s.Name == "" {
		t.Fatalf("server %+v, this is %d", s, os.Getpid())
	}
	if s.RSS < 1<<20 || s.RSSPeak < s.RSS || s.CPU <= 0 || s.Cores <= 0 || s.PerDelivery <= 0 || rep.LoadCPU <= 0 {
		t.Errorf("server %+v, load %f", s, rep.LoadCPU)
	}
	rep = do(t, Config{URL: url, Clients: 1, Rooms: 1, Duration: time.Millisecond, Pid: 1 << 29})
	if want := "there is no process 536870912 here"; !strings.Contains(rep.Server.Unknown, want) {
		t.Errorf("unknown: %q, want %q", rep.Server.Unknown, want)
	}
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", "127.0.0.1:0"} { // on all addresses, or one
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue // no IPv6 here
		}
		p, err := serverProcess(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: l.Addr().(*net.TCPAddr).Port}, 0)
		if err != nil || p.pid != os.Getpid() {
			t.Errorf("%s: %+v %v", addr, p, err)
		}
		l.Close()
	}
	if _, err := serverProcess(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3000}, 0); !errors.Is(err, errNotLocal) {
		t.Errorf("an address for documents (RFC 5737): %v", err)
	}
	if _, err := serverProcess(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, 0); !errors.Is(err, errNotFound) {
		t.Errorf("a port without a listener: %v", err)
	}
}

func TestProcAddr(t *testing.T) {
	// Written as a little-endian machine does.
	for text, want := range map[string]string{
		"0100007F:0BB8":                         "127.0.0.1:3000",
		"00000000:0050":                         "0.0.0.0:80",
		"00000000000000000000000001000000:0BB8": "[::1]:3000",
		"B80D01200000000000000000010000AB:0001": "[2001:db8::ab00:1]:1",
	} {
		if got, ok := procAddr(text); !ok || got.String() != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	for _, bad := range []string{"", "0100007F", "0100007:0BB8", "0100:0BB8", "0100007F:", "x100007F:0BB8"} {
		if got, ok := procAddr(bad); ok {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tokens")
	secret, err := auth.Create(file, auth.Grant{Name: "bench", Access: auth.Write, Rooms: []string{"bench-*"}})
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, server.Config{Tokens: file})
	_, err = Run(t.Context(), Config{URL: url})
	if e, ok := errors.AsType[*edgechat.Refusal](err); !ok || e.Status != 401 || e.Code != "unauthorized" || !strings.Contains(e.Error(), "a token is needed") {
		t.Errorf("without a token: %v", err)
	}
	wantWhole(t, do(t, Config{URL: url, Token: secret, Clients: 4, Rooms: 2, Rate: 50, Duration: 200 * time.Millisecond}), 20)
}
