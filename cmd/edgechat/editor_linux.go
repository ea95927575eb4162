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
	keepInterrupt(int(i.Fd()))
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

// keepInterrupt has Ctrl-C interrupt also when nobody reads a line, as when a message waits for its acknowledgement. What else
// ends or stops a program from the keyboard would leave the terminal as it is, and does nothing.
func keepInterrupt(fd int) {
	tio, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return // then it is a key that ReadLine alone knows
	}
	tio.Lflag |= unix.ISIG
	tio.Cc[unix.VSUSP], tio.Cc[unix.VQUIT] = 0, 0 // off (termios(3))
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, tio)
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
