package main

import (
	"fmt"
	"log/slog"

	"edgechat/internal/settings"
)

// strays finds the variables EDGECHAT_... that no command reads.
func (a *app) strays() []settings.Stray {
	var all []settings.Setting
	for _, c := range everyCommand() {
		all = append(all, c.table(noEnv)...)
	}
	return settings.Strays(a.environ, all)
}

// noEnv is an environment in which nothing is set.
func noEnv(string) string { return "" }

// warnOfStrays is for the commands that have no log.
func (a *app) warnOfStrays() {
	w := a.stderr
	if isJournal(w, a.getenv("JOURNAL_STREAM")) {
		w = prefixed{w, priority(slog.LevelWarn)}
	}
	for _, s := range a.strays() {
		if s.Nearest != "" {
			fmt.Fprintf(w, "edgechat: warning: %s is no setting: did you mean %s?\n", s.Name, s.Nearest)
		} else {
			fmt.Fprintf(w, "edgechat: warning: %s is no setting: edgechat help serve lists them\n", s.Name)
		}
	}
}

// logStrays is for serve.
func (a *app) logStrays(log *slog.Logger) {
	for _, s := range a.strays() {
		if s.Nearest != "" {
			log.Warn("variable is no setting", "variable", s.Name, "nearest", s.Nearest)
		} else {
			log.Warn("variable is no setting", "variable", s.Name)
		}
	}
}
