// Command edgechat is a chat server for small boards: rooms over WebSocket and
// HTTP, the recent history in one file.
//
// "edgechat help" lists the subcommands; each has a file of its own here.
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
	"strings"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Getenv, os.Stdout, os.Stderr))
}

// An app is what a subcommand sees of the world.
type app struct {
	args    []string // after the name of the subcommand
	environ []string // each variable as name=value
	getenv  func(string) string
	stdout  io.Writer
	stderr  io.Writer
}

type command struct {
	name    string
	args    string // for the usage line
	summary string
	run     func(context.Context, *app) error
}

// commands is a function since help refers to it.
func commands() []command {
	return []command{
		{"serve", "[flags]", "run the server", serve},
		{"token", "create|list|revoke", "make and take back the tokens of a token file", token},
		{"config", "[serve flags]", "print each setting and where it came from", config},
		{"bench", "[flags]", "put a running server under load and check what it delivers", bench},
		{"version", "", "print the version", showVersion},
		{"help", "[command]", "print this, or what a command takes", help},
	}
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
func run(ctx context.Context, args, environ []string, getenv func(string) string, stdout, stderr io.Writer) int {
	a := &app{environ: environ, getenv: getenv, stdout: stdout, stderr: stderr}
	if len(args) == 0 {
		fmt.Fprint(stderr, usage())
		return 2
	}
	name := args[0]
	if name == "-h" || name == "-help" || name == "--help" {
		name = "help"
	}
	if name == "-version" || name == "--version" {
		name = "version"
	}
	a.args = args[1:]
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		err := c.run(ctx, a)
		if errors.Is(err, errHelp) {
			a.args = []string{name}
			err = help(ctx, a)
		}
		return report(stderr, getenv, err)
	}
	hint := "edgechat help"
	if strings.HasPrefix(name, "-") {
		hint = "flags come after the command: edgechat serve " + strings.Join(args, " ")
	}
	return report(stderr, getenv, misuse(hint, "there is no command %q", name))
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
