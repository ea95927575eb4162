package main

import (
	"io"
	"log/slog"
)

// newLogger returns the logger of the process. What goes to the journal has no
// time: the journal notes one itself, and it would be printed twice.
func newLogger(w io.Writer, format string, level slog.Level, getenv func(string) string) *slog.Logger {
	opt := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	if isJournal(w, getenv("JOURNAL_STREAM")) {
		opt.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(w, opt))
}
