package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"edgechat/internal/settings"
	"edgechat/store"
)

// restoreOptions are the settings of restore.
type restoreOptions struct {
	storeOptions
	follow, alone bool
}

func (o *restoreOptions) table(getenv func(string) string) []settings.Setting {
	return append(o.storeOptions.table(getenv),
		settings.Toggle(settings.Setting{Name: "follow", NoEnv: true,
			Usage: "FILE is of a node of a cluster: make a node of it, which goes on behind what FILE has"}, &o.follow),
		settings.Toggle(settings.Setting{Name: "alone", NoEnv: true,
			Usage: "FILE may be of a node of a cluster: make a server of it that is alone"}, &o.alone))
}

func restoreCommand() command {
	return command{name: "restore", args: "FILE", summary: "make the store of a stopped server from a backup", settings: new(restoreOptions).table, run: restore,
		about: "FILE is a backup, or the edgechat.db of a stopped server. What was in the folder is kept beside the new\n" +
			"file, which belongs to the owner of the old one, else of the folder.\n\n" +
			"What is of a node of a cluster needs one of --follow and --alone. With --follow a node that is new, or was away for\n" +
			"longer than the engine keeps messages, begins with the history of another one, and reads from the engine what came since.\n"}
}

func restore(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o restoreOptions
	file, err := a.oneArg(o.table(a.getenv), "the FILE of a backup")
	if err != nil {
		return err
	}
	to := filepath.Join(o.folder, storeFile)
	makes := store.Restore
	switch {
	case o.follow && o.alone:
		return misuse("with --follow it is a node of the cluster again, with --alone a server of its own", "--follow and --alone exclude each other")
	case o.follow:
		makes = store.RestoreFollower
	case o.alone:
		makes = store.RestoreAlone
	}
	report, aside, err := makes(file, to)
	if err != nil {
		f := &failure{errs: []error{err}, hint: fileHint(err, file), code: 1}
		switch {
		case errors.Is(err, store.ErrDamaged):
			f.hint = fmt.Sprintf("nothing was changed; see all that is wrong with it: edgechat check %q", file)
		case errors.Is(err, store.ErrFollower):
			f.hint = "nothing was changed; --follow makes a node of that cluster of it, and --alone a server that is alone"
		case errors.Is(err, store.ErrNotFollower):
			f.hint = "nothing was changed; a server that was alone is restored without --follow, and brings its history into a new cluster if it starts first"
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
	if o.follow {
		_, err = fmt.Fprint(a.stderr, "edgechat: start it with the same --cluster and --cluster-name, and a --node-name that no other node has: it reads from the engine what came since\n")
		return err
	}
	_, err = fmt.Fprint(a.stderr, "edgechat: ids that were given since the backup are not given again: who comes back with one is told that messages may be missing, and starts anew\n")
	return err
}
