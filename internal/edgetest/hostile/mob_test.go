package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

const (
	mobAddresses = 40
	mobEach      = 50
	goodPairs    = 100 // from ten addresses
	mobLatency   = 20 * time.Millisecond
	mobNewcomer  = 200 * time.Millisecond
	mobResident  = 96 << 20
)

// mobLimits are those that it runs into. Of WebSockets an address has fewer than it may.
var mobLimits = []string{"messages", "bytes", "joins", "new_rooms", "failures", "invalid", "http_per_address", "frames"}

func addresses(first, n int) (list []string) {
	for i := range n {
		list = append(list, "192.0.2."+strconv.Itoa(first+i))
	}
	return list
}

// TestMob: two thousand clients from forty addresses do all that the server is limited for, as it is shipped, beside two hundred
// who talk. Nothing of what these say is lost or late, the memory has a bound, whoever is new gets in at once, and afterwards
// nothing is left.
//
// Server and good clients have precedence over the mob, which shares their processors: it is the server that is measured, and not
// what the mob's own machine would be. What the same people have to wait for on a server of their own, at the same time, is
// this machine's doing.
func TestMob(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may have a network of its own")
	}
	net := edgetest.NewNet(t)
	tokens := filepath.Join(t.TempDir(), "tokens") // without one a token that is sent is ignored
	if out, err := exec.Command(*program, "token", "create", "Ann", "--tokens", tokens).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	messages, newcomers := false, false // kept
	for range attempts {
		l, c := beset(t, net, tokens)
		messages = messages || l.Messages.P99 <= mobLatency+c.Messages.P99
		newcomers = newcomers || l.Healthz.P99 <= mobNewcomer+c.Healthz.P99
		if messages && newcomers {
			return
		}
	}
	t.Errorf("want p99 of messages at most %v above the other server's, kept in one of %d: %v; of /healthz %v, kept: %v", mobLatency, attempts, messages, mobNewcomer, newcomers)
}

// beset has a mob come once, and returns what the good had to wait, and those on another server. All else fails the test.
func beset(t *testing.T, net *edgetest.Net, tokens string) (l, c Latencies) {
	t.Helper()
	env := []string{"EDGECHAT_TOKENS=" + tokens, "EDGECHAT_ANONYMOUS=write"}
	s, control := ServeIn(t, net.Do, *program, "192.0.2.1", env...), ServeIn(t, net.Do, *program, "192.0.2.1", env...)
	before := settled(t, net.Do, s, 100)
	good := addresses(200, 10)
	talk := func(s *Server) *Child {
		return StartIn(t, net.Do, Task{Quiet: &Quiet{Addr: s.Addr, Pairs: goodPairs, Every: time.Second, From: good}})
	}
	beside, apart := talk(s), talk(control)
	mob := StartIn(t, net.Do, Task{Mob: &Mob{Addr: s.Addr, From: addresses(2, mobAddresses), Each: mobEach}})
	most := 0
	for end := time.Now().Add(*mobbed); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		most = max(most, s.Descriptors())
	}
	reached := map[string]float64{}
	for end := time.Now().Add(patience); len(reached) < len(mobLimits) && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		values := scrape(t, net.Do, s)
		for _, name := range mobLimits {
			if n := values[`edgechat_limited_total{limit="`+name+`"}`]; n > 0 {
				reached[name] = n
			}
		}
	}
	var did Mobbed
	mob.End(&did)
	resident := s.PeakRSS()
	beside.End(&l)
	apart.End(&c)
	t.Logf("the mob, in %v:\n%v", *mobbed, did)
	t.Logf("messages: %v; on another server: %v\n/healthz: %v; on the other: %v", l.Messages, c.Messages, l.Healthz, c.Healthz)
	t.Logf("%s resident at most; %d descriptors at most", mib(resident), most)
	if l.Messages.N < goodPairs || l.Healthz.N == 0 {
		t.Errorf("want at least %d messages, and an answer of /healthz", goodPairs)
	}
	if resident > mobResident {
		t.Errorf("%s resident, want at most %s", mib(resident), mib(mobResident))
	}
	if t.Logf("limits, and how often they were reached: %v", reached); len(reached) < len(mobLimits) {
		t.Errorf("not all of %v were", mobLimits)
	}
	// Each loop keeps up to eight coroutines for whose message comes next.
	goroutines := before["edgechat_goroutines"] + 8 + 8*float64(runtime.NumCPU())
	after := settled(t, net.Do, s, goroutines)
	for _, name := range []string{"edgechat_descriptors", "edgechat_goroutines", "edgechat_members{announced=\"true\"}", "edgechat_replay_bytes"} {
		if t.Logf("%s: %v before, %v after", name, before[name], after[name]); after[name] > before[name]+8 && name != "edgechat_goroutines" { // which settled has waited for
			t.Errorf("%s was %v, and is %v", name, before[name], after[name])
		}
	}
	given(t, net, s)
	s.Stop()
	control.Stop()
	return l, c
}

// scrape asks for the metrics, as this machine may.
func scrape(t *testing.T, in Network, s *Server) map[string]float64 {
	t.Helper()
	_, port, _ := strings.Cut(s.Addr, ":")
	var body []byte
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		in(func() {
			c, failed := dialFrom("127.0.0.1", "127.0.0.1:"+port)
			if err = failed; err != nil {
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			fmt.Fprint(c, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			resp, failed := http.ReadResponse(bufio.NewReader(c), nil)
			if err = failed; err != nil {
				return
			}
			body, err = io.ReadAll(resp.Body)
			if err == nil && resp.StatusCode != 200 {
				err = fmt.Errorf("%s: %s", resp.Status, body)
			}
		})
		if err == nil {
			values := map[string]float64{}
			for line := range strings.Lines(string(body)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
				values[name], _ = strconv.ParseFloat(value, 64)
			}
			return values
		}
	}
	t.Fatal(err)
	return nil
}

// settled waits until there is no connection but the one that asks, and no more goroutines than that, and returns the metrics.
func settled(t *testing.T, in Network, s *Server, goroutines float64) (values map[string]float64) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		values = scrape(t, in, s)
		if values["edgechat_goroutines"] <= goroutines && values[`edgechat_connections{kind="http"}`]+values[`edgechat_connections{kind="waiting"}`]+values[`edgechat_connections{kind="websocket"}`] <= 1 {
			return values
		}
		if time.Now().After(end) {
			t.Fatalf("left are %v connections of HTTP, %v that wait, %v WebSockets, and %v goroutines of at most %v", values[`edgechat_connections{kind="http"}`],
				values[`edgechat_connections{kind="waiting"}`], values[`edgechat_connections{kind="websocket"}`], values["edgechat_goroutines"], goroutines)
		}
	}
}

// given checks that each address of the mob has all its places again: for plain connections, and for WebSockets.
func given(t *testing.T, net *edgetest.Net, s *Server) {
	t.Helper()
	for _, from := range addresses(2, mobAddresses) {
		net.Do(func() {
			var all []io.Closer
			defer func() {
				for _, c := range all {
					_ = c.Close()
				}
			}()
			open := func(n int, request, want string) {
				for i := range n {
					c, err := dialFrom(from, s.Addr)
					if err != nil {
						t.Errorf("%s: %v", from, err)
						return
					}
					all = append(all, c)
					_ = c.SetDeadline(time.Now().Add(patience))
					_, err = io.WriteString(c, request)
					b := make([]byte, len(want))
					if err == nil {
						_, err = io.ReadFull(c, b)
					}
					if err != nil || string(b) != want {
						t.Errorf("%s: %d of %d: %q, %v", from, i, n, b, err)
						return
					}
				}
			}
			open(64, enterMany(nil), letIn)
			open(16, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ")
		})
	}
}
