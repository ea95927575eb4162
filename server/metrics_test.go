package server

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// scrape returns what /metrics says to this machine.
func scrape(t *testing.T, s *running) string {
	t.Helper()
	resp, body := fetch(t, "GET", s.url+"/metrics")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%s %v %q", resp.Status, resp.Header, body)
	}
	return body
}

// TestMetrics: what happens is counted, where a scrape finds it.
func TestMetrics(t *testing.T) {
	s, admin := startAdmin(t, Config{Version: "v9", MetricsListen: "127.0.0.1:0"})
	for _, name := range []string{"ann", "bob"} {
		c := edgetest.Dial(t, s.url+"/chat/room/den?username="+name, jsonProtocol)
		c.JSONOf("subscribed")
		if name == "bob" {
			c.Text(`{"type":"message","content":"hello","idempotency_key":"k"}`)
			c.JSONOf("ack")
			c.Text("nonsense")
			c.JSONOf("error")
		}
	}
	fetch(t, "POST", s.url+"/nothing")
	fetch(t, "GET", s.url+"/chat/moderation?token=secret")
	want := []string{
		`edgechat_build_info{version="v9",go="go1.`, `edgechat_connections{kind="websocket"} 2`,
		`edgechat_messages_published_total{via="websocket"} 1`, `edgechat_messages_published_total{via="http"} 0`,
		"\nedgechat_messages_delivered_total 2\n", `edgechat_frames_rejected_total{reason="invalid_message"} 1`,
		`edgechat_requests_refused_total{reason="not_found"} 1`, `edgechat_requests_refused_total{reason="unauthorized"} 1`,
		"\nedgechat_rooms 1\n", `edgechat_members{announced="true"} 2`, "\nedgechat_delivery_seconds_count 1\n",
		"\nedgechat_store_commits_total 1\n", "\nedgechat_commit_seconds_count 1\n", "\nedgechat_store_degraded 0\n", "\nedgechat_log_lines_dropped_total 0\n",
	}
	until(t, "scrape with all of it", func() error {
		text := scrape(t, s)
		for _, w := range want {
			if !strings.Contains(text, w) {
				return &lacks{w, text}
			}
		}
		return nil
	})
	text := scrape(t, s)
	for _, name := range []string{"edgechat_resident_memory_bytes", "edgechat_descriptors", "edgechat_descriptors_limit", "edgechat_heap_bytes", "edgechat_goroutines"} {
		if regexp.MustCompile(`(?m)^`+name+` [1-9]`).FindString(text) == "" {
			t.Errorf("%s is not there, or 0", name)
		}
	}
	if strings.Contains(text, "den") && regexp.MustCompile(`"[^"]*\b(den|ann|bob)\b[^"]*"`).MatchString(text) {
		t.Errorf("a label has what a client has chosen:\n%s", text)
	}
	// The same families elsewhere.
	for name, get := range map[string]func() string{
		"--metrics-listen": func() string {
			resp, body := fetch(t, "GET", "http://"+s.sides[1].l.Addr().String()+"/metrics")
			if resp.StatusCode != 200 {
				t.Errorf("--metrics-listen: %s", resp.Status)
			}
			return body
		},
		"the admin socket": func() string { _, body := ask(t, overSocket(t, s.cfg.Admin), "GET", "/metrics", ""); return body },
	} {
		if got, want := types(get()), types(text); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	if resp, _ := fetch(t, "GET", "http://"+s.sides[1].l.Addr().String()+"/chat/rooms"); resp.StatusCode != 404 {
		t.Errorf("--metrics-listen serves chat: %s", resp.Status)
	}
	_ = admin
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

type lacks struct{ what, text string }

func (l *lacks) Error() string { return "lacks " + l.what + ":\n" + l.text }

func types(text string) string {
	return strings.Join(regexp.MustCompile(`(?m)^# TYPE .*$`).FindAllString(text, -1), "\n")
}

// TestMetricsGuard: where everyone can connect, metrics are for this machine alone.
func TestMetricsGuard(t *testing.T) {
	s := start(t, Config{Listen: []string{":0"}})
	_, port, _ := net.SplitHostPort(s.addr(0).String())
	ask := func(addr string, head ...string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+net.JoinHostPort(addr, port)+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		for i := 0; i < len(head); i += 2 {
			if req.Header.Set(head[i], head[i+1]); head[i] == "Host" {
				req.Host = head[i+1]
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, c := range []struct {
		head []string
		want int
	}{
		{nil, 200},
		{[]string{"Host", "localhost:3000"}, 200},
		{[]string{"Host", "[::1]"}, 200},
		{[]string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{[]string{"Via", "1.1 proxy"}, 403},
		{[]string{"Host", "evil.example"}, 421}, // a name that its owner has stand for 127.0.0.1
	} {
		if got := ask("127.0.0.1", c.head...); got != c.want {
			t.Errorf("%q: %d, want %d", c.head, got, c.want)
		}
	}
	for _, ip := range localHosts() {
		if got := ask(ip.String()); got != 403 {
			t.Errorf("from %v: %d", ip, got)
		}
	}
}

// promtool runs Prometheus' own tool.
func promtool(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool is not installed (apt-get install prometheus)")
	}
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestPromtool: Prometheus finds nothing to say about the names, the help and the types.
func TestPromtool(t *testing.T) {
	s := start(t, Config{})
	if out := promtool(t, scrape(t, s), "check", "metrics"); out != "" {
		t.Errorf("promtool check metrics says:\n%s", out)
	}
}

// TestScrapeTime: a scrape takes 5 ms at most, with rooms and connections to count. Of several, since others use
// the machine too.
func TestScrapeTime(t *testing.T) {
	if edgetest.Race {
		t.Skip("the race detector takes most of the time; PART=allocs measures without it")
	}
	s := start(t, Config{})
	for range 100 {
		edgetest.Dial(t, s.url+"/chat/room/"+strings.Repeat("r", 1+len(s.hub.Rooms())%50))
	}
	best := time.Hour
	for range 20 {
		var b bytes.Buffer
		began := time.Now()
		if err := s.writeMetrics(&b); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(began))
	}
	if best > 5*time.Millisecond {
		t.Errorf("a scrape took %v", best)
	}
}

func BenchmarkScrape(b *testing.B) {
	s, err := New(Config{Listen: []string{"127.0.0.1:0"}, Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.stop()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.writeMetrics(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
