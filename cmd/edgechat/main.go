// Command edgechat is a chat server for small boards: rooms over WebSocket and
// HTTP, the recent history in one file.
//
// "edgechat help" lists the subcommands; each has a file of its own here, which knows what
// the command does and the settings that it takes. command.go has their table.
// A mistake in the command line or the environment ends it with exit code 2,
// anything else that fails with 1; a stop by Interrupt or SIGTERM is no failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// A failure is an error together with what to do about it.
type failure struct {
	errs []error // each gets a line
	hint string  // "" if there is nothing to say
	code int     // exit code
}

func (f *failure) Error() string   { return errors.Join(f.errs...).Error() }
func (f *failure) Unwrap() []error { return f.errs }

// misuse is a mistake in the command line or the environment.
func misuse(hint, format string, args ...any) *failure {
	return &failure{[]error{fmt.Errorf(format, args...)}, hint, 2}
}

// errHelp says that the flags asked for help.
var errHelp = errors.New("help asked for")

// run is main without the process around it. It returns the exit code.
func run(ctx context.Context, args, environ []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage())
		return 2
	}
	switch {
	case isHelp(args[0]):
		args = append([]string{"help"}, args[1:]...)
	case args[0] == "-version" || args[0] == "--version":
		args = append([]string{"version"}, args[1:]...)
	}
	c, rest, err := find(args)
	if err != nil {
		return report(stderr, getenv, err)
	}
	a := &app{command: c, args: rest, environ: environ, getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr}
	if c.run == nil {
		err = errHelp // a command that has others, asked for help
	} else {
		err = c.run(ctx, a)
	}
	if errors.Is(err, errHelp) {
		_, err = io.WriteString(stdout, c.help(getenv))
	}
	return report(stderr, getenv, err)
}

// report prints err, line by line if it is several, and returns the exit code.
func report(stderr io.Writer, getenv func(string) string, err error) int {
	if err == nil {
		return 0
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{errs: []error{err}, code: 1}
	}
	if isJournal(stderr, getenv("JOURNAL_STREAM")) {
		stderr = prefixed{stderr, priority(slog.LevelError)} // the hint belongs to it
	}
	for _, e := range f.errs {
		fmt.Fprintf(stderr, "edgechat: error: %s\n", e)
	}
	if f.hint != "" {
		fmt.Fprintf(stderr, "edgechat: hint: %s\n", f.hint)
	}
	return f.code
}
