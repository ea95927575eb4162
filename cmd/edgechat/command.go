package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"slices"
	"strings"

	"edgechat/internal/settings"
)

// An app is what a subcommand sees of the world.
type app struct {
	command *command // which one it is
	args    []string // after its name
	environ []string // each variable as name=value
	getenv  func(string) string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
}

// A command is a row of the table that help, the man page and the completions of shells
// come from. It either runs or has commands of its own.
type command struct {
	name     string // with those that it belongs to: "token create"
	args     string // for the usage line, without the flags
	summary  string // one line
	about    string // what help says besides: whole lines; "" for nothing
	settings func(getenv func(string) string) []settings.Setting
	run      func(context.Context, *app) error
	sub      []command
}

// commands is a function since help refers to it.
func commands() []command {
	return []command{
		serveCommand(),
		tokenCommand(),
		caCommand(),
		configCommand(),
		checkCommand(),
		backupCommand(),
		restoreCommand(),
		exportCommand(),
		importCommand(),
		adminCommand(),
		clusterCommand(),
		joinCommand(),
		sendCommand(),
		qrCommand(),
		hotspotCommand(),
		benchCommand(),
		doctorCommand(),
		{name: "version", summary: "print the version", run: showVersion},
		{name: "help", args: "[COMMAND]", summary: "print this, or what a command takes", run: help},
	}
}

// everyCommand lists those that run, whatever they belong to.
func everyCommand() (all []command) {
	for _, c := range commands() {
		if c.sub == nil {
			all = append(all, c)
		}
		all = append(all, c.sub...)
	}
	return all
}

// table is the settings of a command; none if it takes none.
func (c *command) table(getenv func(string) string) []settings.Setting {
	if c.settings == nil {
		return nil
	}
	return c.settings(getenv)
}

// usage is the line that shows how it is called.
func (c *command) usage() string {
	args := c.args
	switch {
	case c.sub != nil:
		args = strings.Join(c.words(), "|")
	case c.settings != nil:
		args += " [flags]"
	}
	return strings.TrimRight(c.name+" "+strings.TrimSpace(args), " ")
}

// words are what may stand behind the name of a command that has others.
func (c *command) words() (words []string) {
	for _, s := range c.sub {
		words = append(words, strings.TrimPrefix(s.name, c.name+" "))
	}
	return words
}

// find returns the command that args begin with, and what is left of them.
func find(args []string) (*command, []string, error) {
	known := commands()
	i := slices.IndexFunc(known, func(c command) bool { return c.name == args[0] })
	switch {
	case i < 0 && strings.HasPrefix(args[0], "-"):
		return nil, nil, misuse("flags come after the command: edgechat serve "+strings.Join(args, " "), "there is no command %q", args[0])
	case i < 0:
		return nil, nil, misuse("edgechat help", "there is no command %q", args[0])
	}
	c, args := &known[i], args[1:]
	if c.sub == nil || len(args) > 0 && isHelp(args[0]) {
		return c, args, nil
	}
	words := c.words()
	choice := strings.Join(words[:len(words)-1], ", ")
	last := words[len(words)-1]
	if len(args) == 0 {
		return nil, nil, misuse("edgechat help "+c.name, "%s needs to know what to do: %s or %s", c.name, choice, last)
	}
	if i := slices.Index(words, args[0]); i >= 0 {
		return &c.sub[i], args[1:], nil
	}
	return nil, nil, misuse("edgechat help "+c.name, "%s cannot %q: %s and %s are what there is", c.name, args[0], choice, last)
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// resolve sets what the command's table holds (see settings.Resolve); table has to be of the
// options that the caller reads.
func (a *app) resolve(table []settings.Setting) (rest []string, values []settings.Resolved, err error) {
	rest, values, err = settings.Resolve(table, a.args, a.getenv)
	if errors.Is(err, flag.ErrHelp) {
		return nil, nil, errHelp
	}
	if wrong, ok := errors.AsType[*settings.Error](err); ok {
		return nil, nil, &failure{wrong.Errs, "edgechat help " + a.command.name, 2}
	}
	return rest, values, err
}

// flagsAlone is resolve for a command that takes nothing but flags.
func (a *app) flagsAlone(table []settings.Setting) ([]settings.Resolved, error) {
	rest, values, err := a.resolve(table)
	if err == nil && len(rest) > 0 {
		err = misuse("edgechat help "+a.command.name, "%s takes flags alone, not %q", a.command.name, rest[0])
	}
	return values, err
}

// oneArg is resolve for a command that takes one argument, called what, besides its flags.
func (a *app) oneArg(table []settings.Setting, what string) (string, error) {
	rest, _, err := a.resolve(table)
	if err != nil {
		return "", err
	}
	return a.only(rest, what)
}

// only returns the one argument that rest is.
func (a *app) only(rest []string, what string) (string, error) {
	switch {
	case len(rest) == 0:
		return "", misuse("edgechat help "+a.command.name, "%s needs %s", a.command.name, what)
	case len(rest) > 1:
		return "", misuse("put what has spaces in quotes: edgechat "+a.command.name+" '"+strings.Join(rest, " ")+"'",
			"%s takes one argument, not %d", a.command.name, len(rest))
	}
	return rest[0], nil
}
