package main

import (
	"context"
	"fmt"
	"text/tabwriter"
)

// config prints what serve would use with the same flags and environment.
func config(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o options
	rest, values, err := resolve("config", o.settings(a.getenv), a.args, a.getenv)
	if err != nil {
		return err
	}
	if err := noArgs("config", rest); err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "SETTING\tVALUE\tFROM\n")
	for _, v := range values {
		text := v.value
		if text == "" {
			text = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.name, text, v.from)
	}
	if limit, text, from := memoryLimit(a.getenv); limit > 0 { // Go's own variable, without a flag
		fmt.Fprintf(w, "GOMEMLIMIT\t%s\t%s\n", text, from)
	}
	return w.Flush()
}

// noArgs complains of arguments that are no flags.
func noArgs(name string, rest []string) error {
	if len(rest) == 0 {
		return nil
	}
	return misuse("edgechat help "+name, "%s takes flags alone, not %q", name, rest[0])
}
