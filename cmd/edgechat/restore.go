package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"edgechat/store"
)

func restoreCommand() command {
	return command{name: "restore", args: "FILE", summary: "make the store of a stopped server from a backup", settings: new(storeOptions).table, run: restore,
		about: "FILE is a backup, or the edgechat.db of a stopped server. What was in the folder is kept beside the new\n" +
			"file, which belongs to the owner of the old one, else of the folder.\n"}
}

func restore(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o storeOptions
	file, err := a.oneArg(o.table(a.getenv), "the FILE of a backup")
	if err != nil {
		return err
	}
	to := filepath.Join(o.folder, storeFile)
	report, aside, err := store.Restore(file, to)
	if err != nil {
		f := &failure{errs: []error{err}, hint: fileHint(err, file), code: 1}
		if errors.Is(err, store.ErrDamaged) {
			f.hint = fmt.Sprintf("nothing was changed; see all that is wrong with it: edgechat check %q", file)
		}
		return f
	}
	if _, err := fmt.Fprintf(a.stdout, "%s: store of %s\n", to, contents(report)); err != nil {
		return err
	}
	if aside != "" {
		if _, err := fmt.Fprintf(a.stderr, "edgechat: what was there before is now %s\n", aside); err != nil {
			return err
		}
	}
	_, err = fmt.Fprint(a.stderr, "edgechat: ids that were given since the backup are not given again: who comes back with one is told that messages may be missing, and starts anew\n")
	return err
}
