package main

import (
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// An editor is a terminal in which somebody types a line while others are shown above it.
type editor struct {
	*term.Terminal // Write shows whole lines
	in             int
	before         *term.State
	resized        chan os.Signal
	done           chan struct{}
}

// newEditor takes over the terminal that in and out are; nil if they are none, or one that cannot place a cursor. close gives it back.
func newEditor(in, out any, name string) *editor {
	i, inOK := in.(*os.File)
	o, outOK := out.(*os.File)
	if !inOK || !outOK || !isTerminal(i) || !isTerminal(o) || name == "dumb" {
		return nil
	}
	before, err := term.MakeRaw(int(i.Fd()))
	if err != nil {
		return nil
	}
	e := &editor{in: int(i.Fd()), before: before, resized: make(chan os.Signal, 1), done: make(chan struct{})}
	e.Terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{i, o}, "")
	e.resize(o)
	signal.Notify(e.resized, unix.SIGWINCH)
	go func() { // ends with close
		defer close(e.done)
		for range e.resized {
			e.resize(o)
		}
	}()
	return e
}

// resize tells of how many columns there are; without it there are 80.
func (e *editor) resize(out *os.File) {
	if columns := width(out); columns > 0 {
		_ = e.SetSize(columns, 24) // the rows are of no account
	}
}

func (e *editor) close() {
	signal.Stop(e.resized)
	close(e.resized)
	<-e.done
	_, _ = e.Write([]byte(clearLine)) // what was being typed
	_ = term.Restore(e.in, e.before)
}
