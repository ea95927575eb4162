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
		fmt.Fprintf(&b, "  %-28s %s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
	b.WriteString("\nTo begin: edgechat serve, then open http://localhost:3000\n")
	return b.String()
}

// commandSettings are the settings of a command, nil if it takes none.
func commandSettings(name string, getenv func(string) string) []setting {
	switch name {
	case "serve", "config":
		return new(options).settings(getenv)
	case "token":
		return new(tokenOptions).settings()
	case "bench":
		return new(benchOptions).settings()
	}
	return nil
}

func help(_ context.Context, a *app) error {
	if len(a.args) == 0 {
		_, err := io.WriteString(a.stdout, usage())
		return err
	}
	var head string
	switch name := a.args[0]; name {
	case "serve", "config":
		head = "Usage: edgechat " + name + " [flags]\n\n" +
			"Each flag is also an environment variable (--sync-interval is EDGECHAT_SYNC_INTERVAL);\n" +
			"the flag wins. On SIGHUP the server reads its token file again.\n\n"
	case "token":
		head = "Usage: edgechat token create NAME --tokens FILE [--rooms a,b-*] [--access read|write]\n" +
			"       edgechat token list --tokens FILE\n" +
			"       edgechat token revoke NAME --tokens FILE\n\n" +
			"create prints the token, which is kept nowhere, on its standard output.\n\n"
	case "bench":
		head = "Usage: edgechat bench [flags]\n\n" +
			"Puts a running server under load, checks that every client gets every message once, in order\n" +
			"and whole, and prints what it held. What it publishes stays in the history of its rooms\n" +
			"(bench-...) until something newer takes the place. Exit code 1: the server did not hold the load.\n" +
			"--url and --token may also be set as EDGECHAT_URL and EDGECHAT_TOKEN.\n\n"
	case "version", "help":
		_, err := fmt.Fprintf(a.stdout, "Usage: edgechat %s\n", name)
		return err
	default:
		return misuse("edgechat help", "there is no command %q", name)
	}
	if _, err := io.WriteString(a.stdout, head); err != nil {
		return err
	}
	for _, s := range commandSettings(a.args[0], a.getenv) {
		if _, err := fmt.Fprintf(a.stdout, "  --%s\n        %s\n        (%s)\n", strings.TrimSpace(s.name+" "+s.takes), s.usage, s.limits()); err != nil {
			return err
		}
	}
	return nil
}
