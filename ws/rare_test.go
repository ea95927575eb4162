package ws

import (
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// TestRefusedIsTold: a 401 is counted by its code and logged once a minute for an address, with neither
// the token nor anything else of the query.
func TestRefusedIsTold(t *testing.T) {
	log := new(edgetest.Log)
	rt := newRouter(t, Config{Logger: slog.New(slog.NewTextHandler(log, nil))})
	React(rt, Route[string]{Path: "/no", Decode: decodeText, Guards: []Guard{func(*Request) error {
		return refusal.New(refusal.Unauthorized, "the token is not valid")
	}}, Open: func(*Conn[string]) (Session[string], error) { panic("opened") }})
	url := serve(t, rt)
	for range 5 {
		for _, header := range []string{"A: b", "X-Forwarded-For: 192.0.2.7"} {
			if c := edgetest.TryDial(t, url+"/no?token=SECRET", header); c.Response.StatusCode != 401 {
				t.Fatal(c.Response.Status)
			}
		}
	}
	edgetest.TryDial(t, url+"/nothing?token=SECRET")
	s := rt.Stats()
	if s.RefusedBy[refusal.Unauthorized] != 10 || s.RefusedBy[refusal.NotFound] != 1 || s.Refused != 11 {
		t.Errorf("%v, %d in all", s.RefusedBy, s.Refused)
	}
	text := log.String()
	if strings.Count(text, "msg=refused") != 2 || !strings.Contains(text, "code=unauthorized addr=127.0.0.1:") || !strings.Contains(text, "code=unauthorized addr=192.0.2.7 path=/no others=0") || !strings.Contains(text, "path=/no others=0") || strings.Contains(text, "SECRET") {
		t.Errorf("logged:\n%s", text)
	}
}

func TestOffenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o offenders
		check := func(addr string, missed int, ok bool) {
			t.Helper()
			peer, _ := netip.ParseAddrPort(addr)
			if m, k := o.now(peer.Addr()); m != missed || k != ok {
				t.Errorf("%s: %d %t, want %d %t", addr, m, k, missed, ok)
			}
		}
		check("192.0.2.1:1000", 0, true)
		check("192.0.2.1:1001", 0, false)
		check("[2001:db8::1]:1", 0, true)
		check("[2001:db8::ffff]:2", 0, false)
		check("[2001:db8:0:1::]:2", 0, true)
		check("/run/a.sock", 0, true)
		check("", 0, false)
		time.Sleep(time.Minute)
		check("192.0.2.1:9", 1, true)
		for i := range 2 * maxOffenders {
			o.now(netip.AddrFrom4([4]byte{10, 0, byte(i / 256), byte(i % 256)}))
		}
		if len(o.seen) != maxOffenders {
			t.Errorf("%d addresses are remembered", len(o.seen))
		}
		check("198.51.100.1:1", 0, false)
		time.Sleep(time.Minute)
		check("198.51.100.1:1", 0, true)
		if len(o.seen) != 1 {
			t.Errorf("%d addresses are remembered", len(o.seen))
		}
		var r rarely
		for i, want := range []string{"0 true", "0 false", "0 false"} {
			if m, ok := r.now(); fmt.Sprint(m, ok) != want {
				t.Errorf("%d: %d %t", i, m, ok)
			}
		}
		time.Sleep(time.Minute)
		if m, ok := r.now(); m != 2 || !ok {
			t.Errorf("after a minute: %d %t", m, ok)
		}
	})
}

// TestCloseCodes: each connection that ends is counted once, by the code with which it did.
func TestCloseCodes(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		url, rt, ends := echo(t, v.with(Config{CloseTimeout: 50 * time.Millisecond}), 100)
		for _, frame := range [][]byte{
			edgetest.Frame(edgetest.OpClose, []byte{0x03, 0xe8}),              // 1000
			edgetest.Frame(edgetest.OpClose, nil),                             // 1005
			edgetest.Frame(edgetest.OpClose, []byte{0x0f, 0xa1}),              // 4001
			edgetest.Frame(edgetest.OpText, []byte(strings.Repeat("x", 101))), // 1009
			edgetest.Frame(edgetest.OpText, []byte("bad")),                    // 1007
			nil, // 1006
		} {
			c := edgetest.Dial(t, url+v.path)
			c.Raw(frame)
			if frame == nil {
				_ = c.Conn.Close()
			}
			<-ends
		}
		want := map[uint16]uint64{1000: 1, 1005: 1, 0: 1, 1009: 1, 1007: 1, 1006: 1}
		var got map[uint16]uint64
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if rt.Stats().Open == 0 {
				break
			}
		}
		got = rt.Stats().ClosedBy
		for code, n := range got {
			if n != want[code] {
				t.Errorf("%d: %d times, want %d", code, n, want[code])
			}
		}
	})
}

// TestClosedIsLogged: who is closed for what he does is logged, once a minute for an address; who goes by himself is not.
func TestClosedIsLogged(t *testing.T) {
	for name, driver := range map[string]driving{"loop": autoDriver, "goroutine": goroutineDriver} {
		t.Run(name, func(t *testing.T) {
			log := new(edgetest.Log)
			rt := newRouter(t, Config{driver: driver, Logger: slog.New(slog.NewTextHandler(log, nil))})
			React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
				return nil, &CloseError{Code: refusal.ClosePolicyViolation, Reason: "rate_limited: of a kind"}
			}})
			url := serve(t, rt)
			for range 3 {
				edgetest.Dial(t, url+"/").Expect(edgetest.OpClose)
				edgetest.Dial(t, url+"/", "X-Forwarded-For: 192.0.2.7").Expect(edgetest.OpClose)
				edgetest.Dial(t, url+"/", "X-Forwarded-For: 2001:db8::7").Expect(edgetest.OpClose)
			}
			text := log.String()
			for _, client := range []string{"addr=192.0.2.7 others=0", "addr=2001:db8::/64 others=0"} { // a proxy's
				if strings.Count(text, client) != 1 {
					t.Errorf("not once %s:\n%s", client, text)
				}
			}
			if strings.Count(text, "msg=closed") != 3 || !regexp.MustCompile(`level=WARN msg=closed code=1008 reason="rate_limited: of a kind" addr=127\.0\.0\.1:\d+ others=0`).MatchString(text) {
				t.Errorf("logged:\n%s", text)
			}
		})
	}
}
