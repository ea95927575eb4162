package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/chat"
	"edgechat/internal/edgetest"
	"edgechat/internal/load"
	"edgechat/internal/settings"
	"edgechat/limit"
	"edgechat/server"
	"edgechat/ws"
)

// runBench runs the subcommand in this process.
func runBench(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{args: args, getenv: func(string) string { return "" }, stdout: &out, stderr: &errs}
	code = report(&errs, a.getenv, bench(t.Context(), a))
	return code, out.String(), errs.String()
}

func benchServer(t *testing.T, cfg server.Config) (url string) {
	t.Helper()
	_, url = startServer(t, cfg)
	return url
}

func startServer(t *testing.T, cfg server.Config) (_ *server.Server, url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners, cfg.Data = []net.Listener{l}, filepath.Join(t.TempDir(), "data")
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s, "ws://" + l.Addr().String()
}

// The first Ctrl-C ends the load early, and it reports all the same.
func TestBenchInterrupt(t *testing.T) {
	s, url := startServer(t, server.Config{})
	var out, errs bytes.Buffer
	cmd := exec.Command("edgechat", "bench", "--url", url, "--duration", "1m", "--clients", "6", "--rooms", "3")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	for end := time.Now().Add(20 * time.Second); s.Stats().Hub.Published < 5 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, errs.Bytes())
	}
	for _, want := range []string{"connected    6 of 6 ", "\nended early  after ", "\nlost         0\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s%s", want, out.Bytes(), errs.Bytes())
		}
	}
}

func TestBench(t *testing.T) {
	url := benchServer(t, server.Config{})
	code, out, errs := runBench(t, "--url", url, "--clients", "12", "--rooms", "4", "--rate", "50", "--duration", "300ms")
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"connected    12 of 12 in ", "published    60 in ", "delivered    180 of 180, ", "\nlost         0\n", "\nduplicated   0\n",
		"\nreordered    0\n", "\ndamaged      0\n", "\np50 ", ", p99.9 ", " ###", "\nserver       "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	code, out, _ = runBench(t, "--json", "--url="+url, "--saturate", "--clients", "4", "--rooms", "2", "--publishers", "2", "--duration", "200ms", "--format", "msgpack")
	var rep map[string]any
	if err := json.Unmarshal([]byte(out), &rep); err != nil || code != 0 || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	latency, _ := rep["latency"].(map[string]any)
	of, _ := rep["load"].(map[string]any)
	if rep["published"].(float64) < 10 || rep["delivered"] != rep["expected"] || latency["p99_us"].(float64) <= 0 || of["window"] != 16. || of["format"] != "msgpack" {
		t.Errorf("report %s", out)
	}
}

// A load that is not held is exit code 1, with the report all the same.
func TestBenchNotHeld(t *testing.T) {
	_, port, _ := net.SplitHostPort(edgetest.FreeAddr(t))
	code, out, errs := runBench(t, "--url", "ws://127.0.0.1:"+port)
	if code != 1 || out != "" || !strings.Contains(errs, "hint: no server listens there; start it: edgechat serve --listen :"+port+"\n") {
		t.Errorf("no server: exit code %d, %q, %q", code, out, errs)
	}
	code, _, errs = runBench(t, "--url", benchServer(t, server.Config{MaxContent: 50}))
	if code != 2 || !strings.Contains(errs, "--size: content of 100 bytes is more than the 50") || !strings.Contains(errs, "hint: edgechat bench --size 50, or edgechat serve --max-content 100") {
		t.Errorf("too long: exit code %d, %q", code, errs)
	}

	// A server that stops in the middle.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{Listeners: []net.Listener{l}, Data: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = s.Serve(ctx) })
	wg.Go(func() { // ends with the server
		for ctx.Err() == nil && s.Stats().Hub.Published < 5 {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
	})
	code, out, errs = runBench(t, "--url", "ws://"+l.Addr().String(), "--clients", "4", "--rooms", "2", "--rate", "50", "--duration", "2s")
	if code != 1 || !strings.Contains(out, "cut off      4: closed with 1012") || !strings.Contains(errs, "error: the server did not hold this load: 4 cut off") {
		t.Errorf("a stop: exit code %d, %q, %q", code, out, errs)
	}
}

// A load that runs into a limit of the server says into which, and how to do without it.
func TestBenchLimits(t *testing.T) {
	url := benchServer(t, server.Config{Limits: chat.Limits{Messages: limit.Rate{N: 1, Per: time.Hour, Burst: 5}}, Connections: ws.Limits{Connections: 16}})
	code, out, errs := runBench(t, "--url", url, "--clients", "2", "--rooms", "1", "--rate", "50", "--duration", "300ms")
	if code != 1 || !strings.Contains(out, ": rate_limited: more messages than 1/h with a burst of 5\n") || !strings.Contains(errs, "edgechat serve --rate 0\n") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	code, out, errs = runBench(t, "--url", url, "--clients", "20", "--rooms", "1", "--rate", "0", "--duration", "100ms")
	if code != 1 || !strings.Contains(out, "refused with 503 too_many_connections") || !strings.Contains(errs, "edgechat serve --connections 0\n") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if got := limitsHint("closed with 1008: rate_limited: more frames than 50/s", "rate_limited: more bytes than 5/s", "x", "rate_limited: more bytes than 6/s"); !strings.HasSuffix(got, ": edgechat serve --byte-rate 0 --frame-rate 0") {
		t.Errorf("%q", got)
	}
	for _, l := range benchLimits {
		if !slices.ContainsFunc(new(options).table(noEnv), func(s settings.Setting) bool { return s.Name == l.setting }) {
			t.Errorf("serve has no --%s", l.setting)
		}
	}
}

func TestComplaints(t *testing.T) {
	some := []load.Reason{{Count: 2, Reason: "x"}, {Count: 1, Reason: "y"}}
	for want, rep := range map[string]load.Report{
		"":                               {},
		"3 refused":                      {Refused: some},
		"3 cut off, 7 lost":              {Disconnected: some, Lost: 7},
		"3 error frames":                 {Errors: some},
		"1 duplicated, 2 reordered":      {Duplicated: 1, Reordered: 2},
		"4 damaged":                      {Damaged: 4},
		"a message never reached its wh": {Stuck: true},
	} {
		got := strings.Join(complaints(&rep), ", ")
		if !strings.HasPrefix(got, want) || (want == "") != (got == "") || rep.OK() != (want == "") {
			t.Errorf("%q, OK %v, want %q", got, rep.OK(), want)
		}
	}
}

func TestCheckFiles(t *testing.T) {
	if err := checkFiles(1000, 1000+spareFiles); err != nil {
		t.Error(err)
	}
	f, ok := errors.AsType[*failure](checkFiles(1000, 1000+spareFiles-1))
	if !ok || f.code != 2 || f.Error() != "1000 clients need 1032 open files, and this process may have 1031" ||
		!strings.HasPrefix(f.hint, "edgechat bench --clients 999,") {
		t.Errorf("%+v", f)
	}
	if err := checkFiles(200_000, math.MaxUint64); err != nil {
		t.Error(err)
	}
	if n := fileLimit(); n == 0 {
		t.Error("no files at all")
	}
}

func TestPlain(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 7: "7ns", 999: "999ns", 1234: "1.23µs", 12_345: "12.3µs", 65_536: "65.5µs", 123_456: "123µs", 999_999: "1ms",
		1_048_576: "1.05ms", 1_999_999_999: "2s", 12_345_678_901: "12.3s", 123_456_789_012: "2m3s",
	} {
		if got := plain(d); got != want {
			t.Errorf("%s: %s, want %s", strconv.FormatInt(int64(d), 10), got, want)
		}
	}
}

// The line of progress is for terminals alone.
func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	p.show(load.Progress{})
	p.clear()
	if b.Len() > 0 {
		t.Errorf("wrote %q", b.Bytes())
	}
	p.out = &b
	p.show(load.Progress{Phase: "publishing", Elapsed: 2 * time.Second, Connected: 5, Published: 20, Delivered: 100})
	p.show(load.Progress{Phase: "publishing", Elapsed: 4 * time.Second, Connected: 5, Published: 50, Delivered: 300, Lost: 1})
	p.clear()
	want := "\r\x1b[K  2s publishing: 5 clients, 10 msg/s, 50 delivered/s, 0 lost\r\x1b[K  4s publishing: 5 clients, 15 msg/s, 100 delivered/s, 1 lost\r\x1b[K"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
