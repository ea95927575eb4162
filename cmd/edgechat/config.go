package main

import (
	"context"
	"fmt"
	"text/tabwriter"
)

func configCommand() command {
	return command{
		name: "config", summary: "print each setting of serve and where it came from", about: aboutServe,
		settings: new(options).table, run: config,
	}
}

// config prints what serve would use with the same flags and environment.
func config(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o options
	values, err := a.flagsAlone(o.table(a.getenv))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "SETTING\tVALUE\tFROM\n")
	for _, v := range values {
		text := v.Value
		if text == "" {
			text = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, text, v.From)
	}
	if limit, text, from := memoryLimit(a.getenv); limit > 0 { // Go's own variable, without a flag
		fmt.Fprintf(w, "GOMEMLIMIT\t%s\t%s\n", text, from)
	}
	return w.Flush()
}
