package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// A Resolved setting is its value as text and where that came from: "flag", "default", or
// "environment" and the variable.
type Resolved struct {
	Name, Value, From string
}

// An Error is a mistake in flags or environment; each of its errors names one.
type Error struct{ Errs []error }

func (e *Error) Error() string   { return errors.Join(e.Errs...).Error() }
func (e *Error) Unwrap() []error { return e.Errs }

// Resolve sets all of the settings: a flag in args wins over the environment, which
// wins over the default; a variable that is empty counts as not set. What is
// left of args is returned; flags may stand between. The error is flag.ErrHelp if the flags ask
// for help, else an *Error that lists every value that is wrong.
func Resolve(settings []Setting, args []string, getenv func(string) string) (rest []string, values []Resolved, err error) {
	given := map[string][]string{}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	for _, s := range settings {
		take := func(v string) error {
			if !s.List {
				given[s.Name] = nil // the last one counts
			}
			given[s.Name] = append(given[s.Name], v)
			return nil
		}
		if s.bare {
			fs.BoolFunc(s.Name, "", take)
		} else {
			fs.Func(s.Name, "", take)
		}
	}
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, nil, err
		} else if err != nil {
			return nil, nil, &Error{[]error{errors.New(flagError(err))}}
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
		vs, from, label := given[s.Name], "flag", "--"+s.Name
		if vs == nil && s.Env() != "" {
			if v := getenv(s.Env()); v != "" {
				vs, from, label = []string{v}, "environment "+s.Env(), s.Env()
			}
		}
		if vs == nil {
			v := s.Default
			from = "default"
			if s.Preset != nil {
				v, from = s.Preset()
			}
			vs = []string{v}
			label = "default of --" + s.Name
		}
		text := strings.Join(vs, ",")
		if s.List {
			vs = split(text)
		}
		if text == "" && from == "flag" && s.Empty != "" {
			wrong = append(wrong, fmt.Errorf("%s: %s", label, s.Empty))
		} else if err := s.Set(vs); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", label, err))
		}
		if s.Shown != nil {
			text = s.Shown(text)
		}
		values = append(values, Resolved{s.Name, text, from})
	}
	if len(wrong) > 0 {
		return nil, nil, &Error{wrong}
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
