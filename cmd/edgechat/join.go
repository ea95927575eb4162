package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"edgechat/client"
	"edgechat/internal/settings"
)

// joinOptions are the settings of join.
type joinOptions struct {
	talkOptions
	since    string
	limit    int
	json     bool
	verbatim bool
}

func (o *joinOptions) table(getenv func(string) string) []settings.Setting {
	return append(o.talkOptions.table(getenv),
		settings.Setting{Name: "since", Takes: "ID|all", DefaultText: "what is said from now on; on a terminal, also the last 20 messages", NoEnv: true,
			Usage: "begin behind the message of this id, or with all that the server still has", Set: func(v []string) error { o.since = v[0]; return nil }},
		settings.Number(settings.Setting{Name: "limit", Default: "0", DefaultText: "what the server allows", NoEnv: true,
			Usage: "messages of before at most, the newest ones"}, &o.limit, 0, 10_000),
		settings.Toggle(settings.Setting{Name: "json", NoEnv: true,
			Usage: "print each event as a JSON object, as docs/protocol.md has them"}, &o.json),
		settings.Toggle(settings.Setting{Name: "verbatim", NoEnv: true,
			Usage: "say each line as it is, /who and /quit too: for lines that others write"}, &o.verbatim))
}

func joinCommand() command {
	return command{name: "join", args: "ROOM", summary: "talk in a room: lines in, lines out", settings: new(joinOptions).table, run: joinRoom,
		about: "Each line of standard input is said, and each message is a line of standard output: <NAME> and the content, in which line\n" +
			"breaks and control characters are written as \\n and \\x1b. Lines that begin with * are notes. On a terminal there\n" +
			"are times, colours (unless NO_COLOR is set), who comes and goes, and below all of it the line that you type: the arrows, Home, End, Ctrl-A,\n" +
			"Ctrl-E, Ctrl-K, Ctrl-U and Ctrl-W move and delete, up and down bring back what was typed before.\n\n" +
			"  /who   says who is here\n" +
			"  /quit  leaves, and so does the end of the input, once all is acknowledged and what was asked for is shown;\n" +
			"         with < /dev/null it listens on\n\n" +
			"A server that restarts is waited for: each message is there once, those of meanwhile too, and each line is\n" +
			"said once. If messages are missing for good a note says so.\n" +
			"Exit code 0: it was left, or ended by Ctrl-C or SIGTERM; 1: it was refused, or a line from a pipe or a file was; 2: the\n" +
			"command line is wrong.\n" + aboutTalk}
}

// recent is how many messages of before are shown on a terminal.
const recent = 20

// joinRoom talks in a room until it is left.
func joinRoom(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o joinOptions
	rest, _, err := a.resolve(o.table(a.getenv))
	if err != nil {
		return err
	}
	room, err := a.only(rest, "the ROOM")
	if err != nil {
		return err
	}
	cfg, err := o.config(a, room)
	if err != nil {
		return err
	}
	s := newScreen(a, o.json)
	a = s.beside(a)
	cfg.Since, cfg.Limit, cfg.OnLost = o.since, o.limit, a.lost(&o.talkOptions)
	if cfg.Since == "" && s.terminal {
		cfg.Since = client.All
		if cfg.Limit == 0 {
			cfg.Limit = recent
		}
	}
	ctx, restore := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer restore()
	r, err := client.Join(ctx, cfg)
	if err != nil {
		if ctx.Err() != nil {
			return nil // it was asked for
		}
		return talkFailure(err, &o.talkOptions)
	}
	defer r.Close()
	if !o.json {
		if e := newEditor(a.stdin, a.stdout, a.getenv("TERM")); e != nil {
			defer e.close()
			s.edit(e)
		}
	}
	said := make(chan error, 1)
	t := &talker{app: a, room: r, screen: s, verbatim: o.verbatim, interactive: isTerminal(a.stdin)}
	if in := r.Subscribed(); cfg.Since != "" && cfg.Since != in.ID && in.Oldest != "" {
		t.last = in.Offset
	}
	go func() { // ends with the input, or with the process: nothing ends a read of it
		said <- t.talk(ctx)
		s.await(t.last)
		r.Close()
	}()
	for e, err := range r.Events() {
		if err == nil {
			err = s.show(e)
		}
		if err != nil {
			if _, refused := errors.AsType[*client.Refusal](err); refused {
				return talkFailure(err, &o.talkOptions)
			}
			return err
		}
	}
	select {
	case err := <-said:
		return err
	default:
		return nil // a signal
	}
}
