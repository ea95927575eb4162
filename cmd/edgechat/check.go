package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"edgechat/store"
)

func checkCommand() command {
	return command{name: "check", args: "FILE|FOLDER", summary: "say if a store or a backup is whole", run: check,
		about: "Reads a backup, or a store that no server has open, and changes nothing.\n" +
			"Exit code 0: it is whole; 1: it is damaged; 2: it could not be read, or is something else.\n"}
}

func check(_ context.Context, a *app) error {
	a.warnOfStrays()
	file, err := a.oneArg(nil, "a FILE or a FOLDER")
	if err != nil {
		return err
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, storeFile)
	}
	report, err := store.Check(file)
	if err != nil {
		return &failure{errs: []error{err}, hint: fileHint(err, file), code: 2}
	}
	of := ""
	if report.Follows {
		of = ", of a node of a cluster"
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s of %s%s\n", file, report.Kind, contents(report), of)
	if err != nil || len(report.Problems) == 0 {
		return err
	}
	f := &failure{code: 1, hint: "a server that starts on a damaged store puts it aside and keeps what can be read"}
	if report.Kind == "backup" {
		f.hint = "use another backup: a damaged one is not restored"
	}
	for _, p := range report.Problems {
		f.errs = append(f.errs, fmt.Errorf("%s: %s", file, p))
	}
	return f
}

// storeFile is the store in a data folder.
const storeFile = "edgechat.db"

// contents is how much there is in a store or a backup.
func contents(r store.Report) string {
	return fmt.Sprintf("%s in %s", count(r.Messages, "message"), count(r.Rooms, "room"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// fileHint says what to do about a store or a backup that cannot be used.
func fileHint(err error, file string) string {
	switch {
	case errors.Is(err, store.ErrLocked):
		return "stop the server first: sudo systemctl stop edgechat.socket, or kill PID"
	case errors.Is(err, store.ErrNewer):
		return "use the version of edgechat that wrote it, or a later one"
	case errors.Is(err, store.ErrForeign):
		return "a store is called edgechat.db and lies in the data folder, /var/lib/edgechat of the service; a backup is made by: edgechat backup FILE"
	case errors.Is(err, store.ErrBackup):
		return fmt.Sprintf("copy it as any file: cp %q", file)
	case errors.Is(err, store.ErrDamaged):
		return fmt.Sprintf("see what is wrong with it: edgechat check %q", file)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("user %s may not read or write there: use sudo", userName())
	case errors.Is(err, syscall.ENOSPC):
		return "make room, or choose another place"
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("is it the right name? ls -l %q; the service's data folder is /var/lib/edgechat", file)
	}
	return ""
}
