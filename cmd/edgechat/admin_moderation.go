package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"edgechat/admin"
	"edgechat/internal/settings"
	"edgechat/moderation"
)

// moderationOptions are the settings of the commands with which somebody on the machine moderates.
type moderationOptions struct {
	adminOptions
	act moderation.Act
}

// moderationCommand is the command of an act, which takes those settings that the act does.
func moderationCommand(verb moderation.Verb, args, summary string) command {
	table := func(getenv func(string) string) []settings.Setting { return new(moderationOptions).table(verb, getenv) }
	run := func(ctx context.Context, a *app) error { return moderate(ctx, a, verb) }
	return command{name: "admin " + string(verb), args: args, summary: summary, settings: table, run: run}
}

// text takes anything, on one line.
func text(s settings.Setting, dst *string) settings.Setting {
	s.NoEnv = true
	s.Set = func(v []string) error {
		if strings.ContainsAny(v[0], "\n\r") {
			return fmt.Errorf("%q has more than one line", v[0])
		}
		*dst = v[0]
		return nil
	}
	return s
}

// span takes how long something lasts.
func span(s settings.Setting, dst *string) settings.Setting {
	s = text(s, dst)
	s.Takes, s.Allowed = "TIME", "1s to 3650d, or ever"
	set := s.Set
	s.Set = func(v []string) error {
		if v[0] == "" {
			return set(v)
		}
		if _, err := moderation.ParseSpan(v[0]); err != nil {
			return err
		}
		return set(v)
	}
	return s
}

func (o *moderationOptions) room(usage string) settings.Setting {
	return text(settings.Setting{Name: "room", Takes: "ROOM", DefaultText: "all rooms", Usage: usage}, &o.act.Room)
}

func (o *moderationOptions) table(verb moderation.Verb, getenv func(string) string) []settings.Setting {
	table := o.adminOptions.table(getenv)
	who := []settings.Setting{
		text(settings.Setting{Name: "name", Takes: "NAME", Usage: "whoever is shown under this name, with a token or without"}, &o.act.Name),
		text(settings.Setting{Name: "identity", Takes: "NAME", Usage: "whoever has the token of this name"}, &o.act.Identity),
		text(settings.Setting{Name: "address", Takes: "ADDRESS", Usage: "whoever comes from this address, or a prefix such as 192.0.2.0/24; one of IPv6 counts as its /64, which may be all of a local network, unless it ends in /128"}, &o.act.Address),
		o.room("the room; without it all of them"),
	}
	ends := settings.Toggle(settings.Setting{Name: "off", NoEnv: true, Usage: "end it"}, &o.act.Off)
	lasts := span(settings.Setting{Name: "for", DefaultText: "ever", Usage: "how long, such as 10m, 1h30m or 7d"}, &o.act.For)
	reason := text(settings.Setting{Name: "reason", Takes: "TEXT", Usage: "what those are told whom it is about; at most 80 bytes"}, &o.act.Reason)
	switch verb {
	case moderation.ActKick:
		table = append(append(table, who...), reason)
	case moderation.ActBan, moderation.ActMute:
		table = append(append(table, who...), lasts, reason)
	case moderation.ActUnban, moderation.ActUnmute:
		table = append(table, who...)
	case moderation.ActSlow:
		every := span(settings.Setting{Name: "every", Usage: "the time in which each may send one message"}, &o.act.Every)
		every.Allowed = "1s to 1d"
		table = append(table, every, ends, lasts, reason)
	case moderation.ActReadOnly:
		table = append(table, ends, lasts, reason)
	case moderation.ActClose:
		lasts.DefaultText = "none: the room may be entered again at once"
		table = append(table, lasts, reason)
	case moderation.ActDelete:
		table = append(table, reason)
	}
	return table
}

func (o *moderationOptions) listTable(getenv func(string) string) []settings.Setting {
	return append(o.adminOptions.table(getenv), o.room("list those of this room; without it all"))
}

// moderate has the server do what the command is called.
func moderate(ctx context.Context, a *app, verb moderation.Verb) error {
	a.warnOfStrays()
	var o moderationOptions
	rest, _, err := a.resolve(o.table(verb, a.getenv))
	if err != nil {
		return err
	}
	want := strings.Fields(a.command.args)
	if len(rest) != len(want) {
		if len(want) == 0 {
			return misuse("edgechat help "+a.command.name, "%s takes flags alone, not %q", a.command.name, rest[0])
		}
		return misuse("edgechat help "+a.command.name, "%s needs %s", a.command.name, strings.Join(want, " and "))
	}
	for i, dst := range []*string{&o.act.Room, &o.act.ID}[:len(want)] {
		*dst = rest[i]
	}
	o.act.Act = verb
	if _, err := moderation.Parse(o.act); err != nil {
		return misuse("edgechat help "+a.command.name, "%s", withoutCode(err))
	}
	done, err := admin.NewClient(o.socket).Moderate(ctx, o.act)
	return o.show(a, err, done, func(w io.Writer) error { return admin.WriteDone(w, done) })
}

func adminBans(ctx context.Context, a *app) error {
	var o moderationOptions
	if _, err := a.adminFlags(o.listTable(a.getenv)); err != nil {
		return err
	}
	rules, err := admin.NewClient(o.socket).Rules(ctx, o.act.Room)
	return o.show(a, err, rules, func(w io.Writer) error { return admin.WriteRules(w, rules) })
}
