package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"edgechat/internal/settings"
	"edgechat/store"
)

// storeOptions are the settings of the commands for a store that no server has open.
type storeOptions struct {
	folder string
}

func (o *storeOptions) table(getenv func(string) string) []settings.Setting {
	return []settings.Setting{dataFolder(&o.folder, getenv)}
}

func backupCommand() command {
	return command{name: "backup", args: "FILE", summary: "write all that a stopped server keeps to one file", settings: new(storeOptions).table, run: backup,
		about: "FILE is replaced once all is on disk; - is standard output. The store is only read: one that is\n" +
			"missing, in use or damaged is refused.\n"}
}

func backup(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o storeOptions
	file, err := a.oneArg(o.table(a.getenv), "a FILE to write, or - for standard output")
	if err != nil {
		return err
	}
	from := filepath.Join(o.folder, storeFile)
	var report store.Report
	if file == "-" {
		report, err = store.BackupTo(from, os.TempDir(), a.stdout)
		file = "standard output"
	} else {
		report, err = store.BackupFile(from, file)
	}
	if err != nil {
		return &failure{errs: []error{err}, hint: fileHint(err, from), code: 1}
	}
	_, err = fmt.Fprintf(a.stderr, "edgechat: backup of %s from %s is in %s\n", contents(report), from, file)
	return err
}
