package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

func usage() string {
	var b strings.Builder
	b.WriteString("edgechat is a chat server for small boards.\n\nUsage: edgechat COMMAND [flags]\n\n")
	for _, c := range commands() {
		line := c.usage()
		if c.sub != nil {
			line = c.name + " COMMAND" // its own help lists them
		}
		fmt.Fprintf(&b, "  %-28s %s\n", line, c.summary)
	}
	b.WriteString("\nTo begin: edgechat serve, then open http://localhost:3000\n")
	return b.String()
}

// help prints what there is, or what the command takes that its arguments name.
func help(_ context.Context, a *app) error {
	if len(a.args) == 0 {
		_, err := io.WriteString(a.stdout, usage())
		return err
	}
	c := group(a.args)
	if c == nil {
		var rest []string
		var err error
		if c, rest, err = find(a.args); err != nil {
			return misuse("edgechat help", "there is no command %q", strings.Join(a.args, " "))
		}
		if len(rest) > 0 {
			return misuse("edgechat help "+c.name, "there is no command %q", strings.Join(a.args, " "))
		}
	}
	_, err := io.WriteString(a.stdout, c.help(a.getenv))
	return err
}

// group is the command that has others, if args name that alone.
func group(args []string) *command {
	for _, c := range commands() {
		if c.sub != nil && len(args) == 1 && args[0] == c.name {
			return &c
		}
	}
	return nil
}

func (c *command) help(getenv func(string) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: edgechat %s\n\n%s.\n", c.usage(), strings.ToUpper(c.summary[:1])+c.summary[1:])
	if c.about != "" {
		b.WriteString("\n" + c.about)
	}
	if len(c.sub) > 0 {
		b.WriteString("\n")
	}
	for _, s := range c.sub {
		fmt.Fprintf(&b, "  edgechat %-28s %s\n", s.usage(), s.summary)
	}
	table := c.table(getenv)
	if len(table) > 0 {
		b.WriteString("\n")
	}
	for _, s := range table {
		fmt.Fprintf(&b, "  --%s\n        %s\n        (%s)\n", strings.TrimSpace(s.Name+" "+s.Takes), s.Usage, s.Limits())
	}
	return b.String()
}
