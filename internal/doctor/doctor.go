// Package doctor looks at a board and says in plain words what will hurt a chat server on it:
// the medium, the clock, power and heat, memory, descriptors, the network.
//
// The one rule: no claim without evidence. A Finding says what was seen and where; what could not be
// looked at is no Finding that all is well but one that says why it was not seen. Nothing on the board is
// changed, but for a file of 4 KiB in the data folder, which is written for a few seconds and removed.
//
// Only Linux is known. Elsewhere Examine says so and nothing else.
package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Severity says how much a Finding matters. The zero value is OK.
type Severity int

// Severities, from the least.
const (
	OK      Severity = iota // all is well
	Note                    // good to know, or not looked at
	Warning                 // will hurt some day, or some clients
	Problem                 // hurts now: the server does not start, is not reached, or loses what it has
)

var words = []string{"ok", "note", "warning", "problem"}

// String returns ok, note, warning or problem.
func (s Severity) String() string { return words[s] }

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Finding is what one look at the board found.
type Finding struct {
	Check    string   `json:"check"`            // what was looked at, one of the names in the table of checks
	Severity Severity `json:"severity"`         // Note if Unseen
	Seen     string   `json:"seen,omitempty"`   // the evidence, and where it is from
	Means    string   `json:"means,omitempty"`  // what that does to the server; "" if nothing
	Mend     string   `json:"mend,omitempty"`   // the line that mends it; "" if there is nothing to mend
	Unseen   string   `json:"unseen,omitempty"` // why it could not be looked at
}

// A Board is where the doctor looks. The zero value is this machine, with nothing to say of data and
// ports.
type Board struct {
	Data  string // data folder; it need not exist. "": neither medium nor flushes are looked at
	Ports []int  // TCP ports that the server is to listen on

	Cert, Key string   // files of the certificate that the server shows, and of its key; "": it speaks no TLS
	Names     []string // names and addresses under which this machine is reached: those that a certificate should be for

	Root string        // before /proc, /sys, /etc, /run and /var. Default "", those of the machine
	Path string        // folders in which programs are looked for, separated by colons. Default DefaultPath
	Wait time.Duration // how long a program, or all flushes of the medium, may take. Default 10 s

	Kernel Kernel // what is asked of the kernel by system calls
}

// DefaultPath has the folders of administrators, which a user's PATH lacks on Debian.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A Kernel answers what stands in no file. A nil function is the system call of that name.
type Kernel struct {
	// Adjtimex returns the clock's state and status (adjtimex(2)).
	Adjtimex func() (state int, status int, err error)
	// Descriptors returns how many descriptors a process started here may have open.
	Descriptors func() (int64, error)
}

// A check is one row of what is looked at, in the order of the report.
type check struct {
	name string
	look func(context.Context, *Board) []Finding
}

// Examine looks at everything, one after the other, and returns at least one Finding for each check. It
// takes as long as the programs and the medium do, 10 s each at most (Wait); it ends early, with what
// it has, if ctx does.
func Examine(ctx context.Context, b Board) []Finding {
	if b.Path == "" {
		b.Path = DefaultPath
	}
	if b.Wait == 0 {
		b.Wait = 10 * time.Second
	}
	b.Kernel = b.Kernel.orDefault()
	var all []Finding
	for _, c := range checks() {
		if ctx.Err() != nil {
			all = append(all, Finding{Check: c.name, Severity: Note, Unseen: "interrupted"})
			continue
		}
		for _, f := range c.look(ctx, &b) {
			f.Check = c.name
			all = append(all, f)
		}
	}
	return all
}

// Worst returns the greatest severity of the findings, OK if there are none.
func Worst(findings []Finding) (worst Severity) {
	for _, f := range findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// path is where a file of the system is on this board.
func (b *Board) path(name string) string { return filepath.Join("/", b.Root, name) }

// program runs a program found on Path and returns its standard output. The error says what it wrote to its
// standard error, or that it is not installed (exec.ErrNotFound).
func (b *Board) program(ctx context.Context, name string, args ...string) (string, error) {
	for _, dir := range filepath.SplitList(b.Path) {
		file, err := exec.LookPath(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, b.Wait)
		defer cancel()
		var stdout, stderr strings.Builder
		cmd := exec.CommandContext(ctx, file, args...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Env = []string{"PATH=" + b.Path, "LC_ALL=C"}
		cmd.WaitDelay = time.Second // a child of it that holds its output open
		if err := cmd.Run(); err != nil {
			said := strings.TrimSpace(stderr.String())
			said = said[strings.LastIndex(said, "\n")+1:] // some begin with their version
			if ctx.Err() != nil {
				said = fmt.Sprintf("no answer in %s", b.Wait)
			} else if said == "" {
				said = err.Error()
			}
			return stdout.String(), fmt.Errorf("%s: %s", strings.Join(append([]string{name}, args...), " "), said)
		}
		return stdout.String(), nil
	}
	return "", notInstalled(name)
}

// notInstalled is the error of a program that is in no folder of Path.
type notInstalled string

func (name notInstalled) Error() string { return string(name) + " is not installed" }

func (notInstalled) Is(target error) bool { return target == exec.ErrNotFound }

// The kinds of findings.

func ok(format string, args ...any) Finding {
	return Finding{Seen: fmt.Sprintf(format, args...)}
}

func unseen(mend, format string, args ...any) Finding {
	return Finding{Severity: Note, Unseen: fmt.Sprintf(format, args...), Mend: mend}
}
