package main

import (
	"fmt"
	"log/slog"
	"strings"
)

// A stray is a variable EDGECHAT_... that no command reads: most likely a
// setting that was misspelled and would otherwise be left out without a word.
type stray struct {
	name    string
	nearest string // the variable that was meant, or "" if none is near
}

// strays finds those in environ, which is as os.Environ returns it. A variable
// that is empty is not set, and one that another command reads is none.
func strays(environ []string) (found []stray) {
	known := map[string]bool{}
	for _, c := range commands() {
		for _, s := range commandSettings(c.name, func(string) string { return "" }) {
			known[s.env()] = true
		}
	}
	delete(known, "")
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		upper := strings.ToUpper(name)
		if value == "" || known[name] || !strings.HasPrefix(upper, envPrefix) {
			continue
		}
		s := stray{name: name}
		written := upper[len(envPrefix):]
		least := 0
		for k := range known {
			meant := k[len(envPrefix):]
			// What differs in more than half of its letters is a word of its own.
			d := distance(written, meant)
			if 2*d <= max(len(written), len(meant)) && (s.nearest == "" || d < least || d == least && k < s.nearest) {
				s.nearest, least = k, d
			}
		}
		found = append(found, s)
	}
	return found
}

// distance counts the letters that have to be put in, taken out or replaced to
// make b of a (Levenshtein's distance).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // from the first i letters of a to the first j of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// warnOfStrays is for the commands that have no log.
func (a *app) warnOfStrays() {
	w := a.stderr
	if isJournal(w, a.getenv("JOURNAL_STREAM")) {
		w = prefixed{w, priority(slog.LevelWarn)}
	}
	for _, s := range strays(a.environ) {
		if s.nearest != "" {
			fmt.Fprintf(w, "edgechat: warning: %s is no setting: did you mean %s?\n", s.name, s.nearest)
		} else {
			fmt.Fprintf(w, "edgechat: warning: %s is no setting: edgechat help serve lists them\n", s.name)
		}
	}
}

// logStrays is for serve.
func logStrays(log *slog.Logger, environ []string) {
	for _, s := range strays(environ) {
		if s.nearest != "" {
			log.Warn("variable is no setting", "variable", s.name, "nearest", s.nearest)
		} else {
			log.Warn("variable is no setting", "variable", s.name)
		}
	}
}
