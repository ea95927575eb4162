package main

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// A joined is "edgechat join" with its lines.
type joined struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed at the end of its output
	log   *edgetest.Log
}

// joinBy starts "edgechat join" with these arguments, and standard input from a pipe.
func joinBy(t *testing.T, args ...string) *joined {
	t.Helper()
	j := &joined{t: t, cmd: exec.Command("edgechat", append([]string{"join"}, args...)...), lines: make(chan string, 10_000), log: new(edgetest.Log)}
	j.cmd.Stderr = j.log
	in, err := j.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	j.in = in
	if err := j.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.cmd.Process.Kill(); _ = j.cmd.Wait() })
	go func() { // ends with the process
		defer close(j.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			j.lines <- s.Text()
		}
	}()
	return j
}

// next returns the next line that begins with one of these.
func (j *joined) next(starts ...string) string {
	j.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		select {
		case line, ok := <-j.lines:
			if !ok {
				j.t.Fatalf("it ended:\n%s", j.log)
			}
			for _, start := range starts {
				if strings.HasPrefix(line, start) {
					return line
				}
			}
		case <-deadline:
			j.t.Fatalf("no line that begins with one of %q came within a minute:\n%s", starts, j.log)
		}
	}
}

// end waits for the end with exit code 0.
func (j *joined) end() {
	j.t.Helper()
	for line := range j.lines {
		if strings.HasPrefix(line, "<") || strings.HasPrefix(line, "* messages") {
			j.t.Errorf("at the end it printed %q", line)
		}
	}
	if err := j.cmd.Wait(); err != nil {
		j.t.Errorf("%v\n%s", err, j.log)
	}
}

// Two "edgechat join" in pipes go on over ten restarts of the server: each line once, in order, on both sides.
func TestJoinRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const restarts, each = 10, 5
	addr := edgetest.FreeAddr(t)
	env := []string{"EDGECHAT_DATA=" + t.TempDir(), "EDGECHAT_LISTEN=" + addr, "EDGECHAT_DRAIN_TIMEOUT=1s"}
	serve := func() *process {
		p := runServe(t, nil, env...)
		p.await("msg=listening addr=" + addr)
		return p
	}
	p := serve()
	reader := joinBy(t, "den", "--url", "http://"+addr, "--as", "reader", "--json")
	reader.next(`{"type":"joined","username":"reader"`)
	writer := joinBy(t, "den", "--url", "ws://"+addr, "--as", "writer")
	for i := range restarts {
		for j := range each {
			if _, err := fmt.Fprintf(writer.in, "%d.%d\n", i, j); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			reader.next(`{"type":"message"`) // so that some stops come between the lines
		}
		p.signal(syscall.SIGTERM)
		p.end()
		p = serve()
		for j := range each {
			if got, want := writer.next("<", "* messages"), fmt.Sprintf("<writer> %d.%d", i, j); got != want {
				t.Fatalf("the writer was shown %q, want %q", got, want)
			}
			if i%2 == 0 && j == 0 {
				continue
			}
			want := fmt.Sprintf(`"username":"writer","content":"%d.%d"`, i, j)
			if got := reader.next(`{"type":"message"`, `{"type":"gap"`); !strings.Contains(got, want) {
				t.Fatalf("the reader was shown %q, want %s", got, want)
			}
		}
	}
	writer.in.Close() // all is acknowledged
	writer.end()
	if err := reader.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	reader.end()
	if !writer.log.Has("trying again") {
		t.Errorf("the writer did not notice a restart:\n%s", writer.log)
	}
	p.signal(syscall.SIGTERM)
	p.end()
}

// TestJoinShowsAll: whoever leaves at once has seen what was asked for of before.
func TestJoinShowsAll(t *testing.T) {
	t.Parallel()
	b := startBoard(t, t.TempDir())
	b.say("den", filler(200)...)
	j := joinBy(t, "den", "--url", "http://"+b.addr, "--since", "all", "--json")
	if _, err := io.WriteString(j.in, "/quit\n"); err != nil {
		t.Fatal(err)
	}
	said := 0
	for line := range j.lines {
		if strings.HasPrefix(line, `{"type":"message"`) {
			said++
		}
	}
	if err := j.cmd.Wait(); err != nil || said != 200 {
		t.Errorf("%d messages of 200 were shown, %v\n%s", said, err, j.log)
	}

	// Where there is nothing to show, nothing is waited for: 5 s it would be.
	_, newest := b.post("den", "the last")
	least := time.Minute
	for range 5 {
		began := time.Now()
		j = joinBy(t, "den", "--url", "http://"+b.addr, "--since", newest.ID)
		if _, err := io.WriteString(j.in, "/quit\n"); err != nil {
			t.Fatal(err)
		}
		j.end()
		if least = min(least, time.Since(began)); least < 4*time.Second {
			return
		}
	}
	t.Errorf("it took %v at least", least)
}
