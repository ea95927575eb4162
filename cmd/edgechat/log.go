package main

import (
	"context"
	"io"
	"log/slog"
)

// newLogger returns the logger of the process. What goes to the journal begins
// with its priority, so that "journalctl -p warning" finds it, and has no time as
// text: the journal notes one itself, and it would be printed twice.
func newLogger(w io.Writer, format string, level slog.Leveler, journal bool) *slog.Logger {
	opt := &slog.HandlerOptions{Level: level}
	if journal && format == "text" {
		opt.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	handler := func(w io.Writer) slog.Handler {
		if format == "json" {
			return slog.NewJSONHandler(w, opt)
		}
		return slog.NewTextHandler(w, opt)
	}
	if !journal {
		return slog.New(handler(w))
	}
	var p prioritized
	for i, level := range levels {
		p[i] = handler(prefixed{w, priority(level)})
	}
	return slog.New(&p)
}

var levels = [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// priority is what a line of this level begins with (sd-daemon(3)); journald
// takes it off.
func priority(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "<3>"
	case level >= slog.LevelWarn:
		return "<4>"
	case level >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// prioritized has a handler for each of levels. Handlers write a line at once, and so
// does the file below them.
type prioritized [len(levels)]slog.Handler

func (p *prioritized) of(level slog.Level) slog.Handler {
	for i := len(levels) - 1; i > 0; i-- {
		if level >= levels[i] {
			return p[i]
		}
	}
	return p[0]
}

func (p *prioritized) Enabled(ctx context.Context, level slog.Level) bool {
	return p.of(level).Enabled(ctx, level)
}

func (p *prioritized) Handle(ctx context.Context, r slog.Record) error {
	return p.of(r.Level).Handle(ctx, r)
}

func (p *prioritized) WithAttrs(attrs []slog.Attr) slog.Handler {
	return p.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (p *prioritized) WithGroup(name string) slog.Handler {
	return p.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (p *prioritized) with(f func(slog.Handler) slog.Handler) slog.Handler {
	var q prioritized
	for i, h := range p {
		q[i] = f(h)
	}
	return &q
}

// prefixed writes prefix before what it is given, in one write.
type prefixed struct {
	w      io.Writer
	prefix string
}

func (p prefixed) Write(line []byte) (int, error) {
	n, err := p.w.Write(append([]byte(p.prefix), line...))
	return max(0, n-len(p.prefix)), err
}
