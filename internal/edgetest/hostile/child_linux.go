package hostile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"testing"
)

// taskVariable holds, in the environment of a child, the task that it is to do in place of the tests.
const taskVariable = "EDGECHAT_HOSTILE_TASK"

// clients is the program that does tasks, if that is not this one: it would be slow under the race detector.
var clients string

// A Task is what a child does. Exactly one of its fields is set.
type Task struct {
	Quiet *Quiet `json:",omitempty"`
	Flood *Flood `json:",omitempty"`
	Crowd *Crowd `json:",omitempty"`
	Rush  *Rush  `json:",omitempty"`
	Mob   *Mob   `json:",omitempty"`

	Sealed *Sealed `json:",omitempty"`
}

// A job is a task under way. begin returns once all of its connections are there; end
// ends it and returns what is printed as its result.
type job interface {
	begin() error
	end() (result any, err error)
}

func (task *Task) job() (job, place) {
	switch {
	case task.Quiet != nil:
		return task.Quiet, quietPlace
	case task.Crowd != nil:
		return task.Crowd, crowdPlace
	case task.Rush != nil:
		return task.Rush, crowdPlace
	case task.Mob != nil:
		return task.Mob, mobPlace
	case task.Sealed != nil:
		return task.Sealed, floodPlace
	}
	return task.Flood, floodPlace
}

// init does the task where Start has started this binary for one.
func init() {
	text := os.Getenv(taskVariable)
	if text == "" {
		return
	}
	debug.SetGCPercent(-1) // what a task allocates is bounded, and a collection would be measured with it
	if err := perform(text); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// perform begins the task, says so with an empty line, and ends it when its standard input does.
func perform(text string) error {
	var task Task
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return err
	}
	j, _ := task.job()
	if err := j.begin(); err != nil {
		return err
	}
	fmt.Println()
	_, _ = io.Copy(io.Discard, os.Stdin)
	result, err := j.end()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// A Child is a process that does a task.
type Child struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// Start starts a child and returns once it has begun. It ends with the test if it was not ended before.
func Start(t testing.TB, task Task) *Child { t.Helper(); return StartIn(t, here, task) }

// A Network calls f on a thread that is in some network (edgetest.Net.Do), which what f starts is then in, too.
type Network func(f func())

func here(f func()) { f() }

// StartIn is Start in a network.
func StartIn(t testing.TB, in Network, task Task) *Child {
	t.Helper()
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	self := clients
	if self == "" {
		if self, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	_, where := task.job()
	c := &Child{t: t, cmd: exec.Command(self)}
	c.cmd.Env = append(os.Environ(), taskVariable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	c.cmd.Stderr = &c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin, c.stdout = stdin, bufio.NewReader(stdout)
	if in(func() { err = start(c.cmd, where) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() })
	if line, err := c.stdout.ReadString('\n'); err != nil {
		_ = c.cmd.Wait()
		t.Fatalf("%s: %q, %v: %s", text, line, err, &c.stderr)
	}
	return c
}

// End ends the task and reads its result.
func (c *Child) End(result any) {
	c.t.Helper()
	_ = c.stdin.Close()
	err := json.NewDecoder(c.stdout).Decode(result)
	if waited := c.cmd.Wait(); waited != nil || err != nil {
		c.t.Fatalf("%v, %v: %s", waited, err, &c.stderr)
	}
}
