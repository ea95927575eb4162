package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"edgechat/internal/edgetest"
)

// openTerminal opens a pseudo-terminal (pty(7)) of that many columns: who holds it, and the terminal.
func openTerminal(t *testing.T, columns uint16) (holder, terminal *os.File) {
	t.Helper()
	holder, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { _ = holder.Close() })
	n := 0
	conn, err := holder.SyscallConn() // Fd would have a read that waits hold up Close
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if err == nil {
			err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return holder, terminal
}

// rows is what a screen shows: it knows of as much of ECMA-48 as is written here.
func rows(text string) []string {
	lines, row, column := [][]rune{nil}, 0, 0
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '\r':
			column = 0
		case r == '\n':
			if row++; row == len(lines) {
				lines = append(lines, nil)
			}
		case r == 0x1b && i+1 < len(runes) && runes[i+1] == '[':
			from := i + 2
			for i = from; i < len(runes)-1 && (runes[i] < '@' || runes[i] > '~'); i++ {
			}
			n, err := strconv.Atoi(string(runes[from:i]))
			if err != nil {
				n = 1
			}
			switch runes[i] {
			case 'A':
				row = max(0, row-n)
			case 'B':
				row = min(len(lines)-1, row+n)
			case 'C':
				column += n
			case 'D':
				column = max(0, column-n)
			case 'K':
				lines[row] = lines[row][:min(column, len(lines[row]))]
			}
		default:
			for len(lines[row]) <= column {
				lines[row] = append(lines[row], ' ')
			}
			lines[row][column] = r
			column++
		}
	}
	var shown []string
	for _, line := range lines {
		shown = append(shown, strings.TrimRight(string(line), " "))
	}
	return shown
}

// A joinedTerminal is "edgechat join den --as ann" in a terminal.
type joinedTerminal struct {
	t                *testing.T
	cmd              *exec.Cmd
	holder, terminal *os.File
	before           *unix.Termios
	out              *edgetest.Log
}

func joinTerminal(t *testing.T, addr string) *joinedTerminal {
	t.Helper()
	holder, terminal := openTerminal(t, 60)
	before, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	out := new(edgetest.Log)
	go func() { // ends with the terminal
		for buf := make([]byte, 4096); ; {
			n, err := holder.Read(buf)
			_, _ = out.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	cmd := exec.Command("edgechat", "join", "den", "--as", "ann", "--url", "http://"+addr)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "TERM=xterm")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	j := &joinedTerminal{t, cmd, holder, terminal, before, out}
	j.wait("entry", func() bool { return out.Has("you are here as ann") })
	return j
}

func (j *joinedTerminal) press(keys string) {
	j.t.Helper()
	if _, err := j.holder.WriteString(keys); err != nil {
		j.t.Fatal(err)
	}
}

func (j *joinedTerminal) wait(what string, is func() bool) {
	j.t.Helper()
	await(j.t, is, "no "+what, j.out)
}

// interrupt presses Ctrl-C, which ends it, with the terminal as it was.
func (j *joinedTerminal) interrupt() {
	j.t.Helper()
	j.press("\x03")
	if err := j.cmd.Wait(); err != nil {
		j.t.Errorf("%v\n%s", err, j.out)
	}
	after, err := unix.IoctlGetTermios(int(j.terminal.Fd()), unix.TCGETS)
	if err != nil || *after != *j.before {
		j.t.Errorf("the terminal is left as %+v, and was %+v (%v)", after, j.before, err)
	}
}

// TestEditorWaits: Ctrl-C ends it also while what was typed waits for a server that is away.
func TestEditorWaits(t *testing.T) {
	p := runServe(t, nil, "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+t.TempDir())
	j := joinTerminal(t, p.await(`addr=(127\.0\.0\.1:\d+)`))
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	j.press("for later\r")
	j.wait("line that is taken", func() bool { shown := rows(j.out.String()); return shown[len(shown)-1] == "" && j.out.Has("for later") })
	j.interrupt()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// TestEditor: on a terminal what others say is shown above the line that somebody types, which stays whole, and can be edited; at the end
// the terminal is as it was.
func TestEditor(t *testing.T) {
	p := runServe(t, nil, "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+t.TempDir())
	addr := p.await(`addr=(127\.0\.0\.1:\d+)`)
	j := joinTerminal(t, addr)
	out, type_, wait := j.out, j.press, j.wait
	last := func() string { shown := rows(out.String()); return shown[len(shown)-1] }

	type_("hallo all")
	wait("typed line", func() bool { return last() == "hallo all" })
	for _, said := range []string{"one", "two", "three"} {
		say(t, addr, said)
		wait("message above the line, which is whole", func() bool {
			shown := rows(out.String())
			return len(shown) > 1 && strings.HasSuffix(shown[len(shown)-2], "<test> "+said) && shown[len(shown)-1] == "hallo all"
		})
	}
	type_("\x1b[D\x1b[D\x1b[D\x1b[Dx\x7f\x01\x1b[C\x1b[C\x1b[C\x1b[C\x7f\x7f\x7fell\x05!\r") // arrows, delete, start, end
	wait("message", func() bool { return times(t, addr, "hello all!") == 1 })
	wait("message in place of the line", func() bool {
		shown := rows(out.String())
		return strings.HasSuffix(shown[len(shown)-2], "<ann> hello all!") && last() == "" && strings.Count(strings.Join(shown, "\n"), "hello all!") == 1
	})
	type_("\x1b[A") // what was typed before
	wait("line of before", func() bool { return last() == "hello all!" })
	type_("\x15/who\r")
	wait("answer", func() bool { return out.Has("* here: ann") })
	type_("half a line")
	wait("typed line", func() bool { return last() == "half a line" })
	j.interrupt()
	// What is no terminal is read as it is.
	if newEditor(j.holder, &strings.Builder{}, "xterm") != nil || newEditor(j.terminal, j.terminal, "dumb") != nil {
		t.Error("it takes over what it cannot write to")
	}
}
