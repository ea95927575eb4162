package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgechat/admin"
	"edgechat/internal/durable"
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

// backupOptions are the settings of backup, which a server that runs can make, too.
type backupOptions struct {
	storeOptions
	adminOptions
	keep int
}

func (o *backupOptions) table(getenv func(string) string) []settings.Setting {
	return append(o.storeOptions.table(getenv), o.adminOptions.socketSetting(getenv),
		settings.Number(settings.Setting{Name: "keep", Default: "0", DefaultText: "no folder", NoEnv: true,
			Usage: "FILE is a folder: a new file is made there, named by the time, and once that is checked all but so many are removed"}, &o.keep, 0, 1000))
}

func backupCommand() command {
	return command{name: "backup", args: "FILE", summary: "write all that a server keeps to one file", settings: new(backupOptions).table, run: backup,
		about: "FILE is replaced once all is on disk; - is standard output. A server that runs makes the backup, over its\n" +
			"admin socket, while it is at work. With --data, or where no server answers, the store of a stopped server is\n" +
			"read: one that is missing, in use or damaged is refused. With --keep 7 FILE is a folder, in which the\n" +
			"newest seven stay.\n"}
}

func backup(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o backupOptions
	rest, values, err := a.resolve(o.table(a.getenv))
	if err != nil {
		return err
	}
	file, err := a.only(rest, "a FILE to write, or - for standard output")
	if err != nil {
		return err
	}
	if o.keep == 0 {
		return o.backup(ctx, a, file, values)
	}
	if file, err = newBackup(file, time.Now()); err != nil {
		return err
	}
	if err := o.backup(ctx, a, file, values); err != nil {
		return err
	}
	removed, err := rotate(file, o.keep)
	for _, name := range removed {
		fmt.Fprintf(a.stderr, "edgechat: removed %s\n", name)
	}
	if err != nil {
		return &failure{errs: []error{err}, hint: fileHint(err, file), code: 1}
	}
	return nil
}

// backup makes one at path file, or on standard output.
func (o *backupOptions) backup(ctx context.Context, a *app, file string, values []settings.Resolved) error {
	if isGiven(values, "admin") || !isGiven(values, "data") {
		err := o.running(ctx, a, file)
		if !errors.Is(err, errNobody) {
			return err
		}
		if isGiven(values, "admin") {
			return adminFailure(err, o.socket)
		}
	}
	return o.stopped(a, file)
}

// isGiven says that who calls has set a setting, and it was not found.
func isGiven(values []settings.Resolved, name string) bool {
	i := slices.IndexFunc(values, func(v settings.Resolved) bool { return v.Name == name })
	return i >= 0 && (values[i].From == "flag" || strings.HasPrefix(values[i].From, "environment "+settings.EnvPrefix))
}

// errNobody says that no server runs at the socket.
var errNobody = errors.New("no server runs")

// running has the server at the socket make the backup.
func (o *backupOptions) running(ctx context.Context, a *app, file string) error {
	c := admin.NewClient(o.socket)
	if _, err := c.Status(ctx); err != nil {
		if errors.Is(err, admin.ErrNoServer) && !errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("%w: %w", errNobody, err)
		}
		return adminFailure(err, o.socket)
	}
	if file == "-" {
		if err := c.Backup(ctx, a.stdout); err != nil {
			return adminFailure(err, o.socket)
		}
		_, err := fmt.Fprintf(a.stderr, "edgechat: backup of the running server is in standard output\n")
		return err
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return &failure{errs: []error{fmt.Errorf("%s is no regular file, and would be replaced", file)}, code: 1}
	}
	var report store.Report
	err := durable.Replace(file, func(f *os.File) error {
		if err := c.Backup(ctx, f); err != nil {
			return err
		}
		var err error
		if report, err = store.Check(f.Name()); err == nil && len(report.Problems) > 0 {
			err = fmt.Errorf("the backup is damaged: %s", strings.Join(report.Problems, "; "))
		}
		return err
	})
	if err != nil {
		return adminFailure(err, o.socket)
	}
	_, err = fmt.Fprintf(a.stderr, "edgechat: backup of %s from the running server is in %s\n", contents(report), file)
	return err
}

// stopped reads the store of a server that does not run.
func (o *backupOptions) stopped(a *app, file string) error {
	from := filepath.Join(o.folder, storeFile)
	var report store.Report
	var err error
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
