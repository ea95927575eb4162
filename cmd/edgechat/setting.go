package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// A setting is one row of the table that flags, environment variables, their
// help, "edgechat config" and docs/settings.md come from. Those of serve, which
// config prints, name files that hold secrets and are none themselves; the token of bench
// is printed by nothing.
type setting struct {
	name    string // of the flag, without dashes
	takes   string // what kind of value, for help: "DURATION"
	def     string // default, as a user would write it; "" if preset finds it
	defText string // default in words, for help; "" means def
	allowed string // what is allowed, in words
	usage   string // one line
	list    bool   // may be repeated, and takes several separated by commas
	noenv   bool   // no environment variable

	// preset finds a default that depends on something, and where it came from.
	// Settings are resolved in order, so it may look at those before it.
	preset func() (value, from string)

	// set checks the values (one, unless list) and stores them.
	set func(values []string) error
}

const envPrefix = "EDGECHAT_"

// env is the environment variable of the setting, or "".
func (s *setting) env() string {
	if s.noenv {
		return ""
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

func (s *setting) limits() string {
	def := s.defText
	if def == "" {
		def = s.def
	}
	if def == "" {
		def = "none"
	}
	if s.allowed == "" {
		return "default " + def
	}
	return s.allowed + "; default " + def
}

// A resolved setting is its value as text and where that came from.
type resolved struct {
	name, value, from string
}

// resolve sets all settings of a command: a flag in args wins over the environment, which
// wins over the default; a variable that is empty counts as not set. What is
// left of args is returned; flags may stand between. The error, if any, is a
// failure that lists every value that is wrong, or errHelp.
func resolve(command string, settings []setting, args []string, getenv func(string) string) (rest []string, values []resolved, err error) {
	given := map[string][]string{}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	for _, s := range settings {
		fs.Func(s.name, "", func(v string) error {
			if !s.list {
				given[s.name] = nil // the last one counts
			}
			given[s.name] = append(given[s.name], v)
			return nil
		})
	}
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, nil, errHelp
		} else if err != nil {
			return nil, nil, misuse("edgechat help "+command, "%s", flagError(err))
		}
		if fs.NArg() == 0 {
			break
		}
		// package flag stops at the first argument that is no flag; what stood
		// before "--" is read, what stands behind it is not.
		done := len(args) - fs.NArg()
		if done > 0 && args[done-1] == "--" {
			rest = append(rest, fs.Args()...)
			break
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}

	var wrong []error
	for _, s := range settings {
		vs, from, label := given[s.name], "flag", "--"+s.name
		if vs == nil && s.env() != "" {
			if v := getenv(s.env()); v != "" {
				vs, from, label = []string{v}, "environment "+s.env(), s.env()
			}
		}
		if vs == nil {
			v := s.def
			from = "default"
			if s.preset != nil {
				v, from = s.preset()
			}
			vs = []string{v}
			label = "default of --" + s.name
		}
		text := strings.Join(vs, ",")
		if s.list {
			vs = split(text)
		}
		if err := s.set(vs); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", label, err))
		}
		values = append(values, resolved{s.name, text, from})
	}
	if len(wrong) > 0 {
		return nil, nil, &failure{wrong, "edgechat help " + command, 2}
	}
	return rest, values, nil
}

// split cuts a comma-separated list; empty parts are left out.
func split(text string) (list []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// flagError words the errors of package flag as the rest of ours.
func flagError(err error) string {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return "there is no flag --" + strings.TrimPrefix(name, "-")
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return "--" + name + " needs a value"
	}
	return text
}
