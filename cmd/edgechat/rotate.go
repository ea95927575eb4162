package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgechat/internal/durable"
	"edgechat/store"
)

// Backups of a folder are named by when they were made, so that their names are in order.
const (
	backupTime   = "20060102T150405Z"
	backupPrefix = "edgechat-"
	backupSuffix = ".backup"
)

// isBackupName reports whether newBackup may have given a file that name.
func isBackupName(name string) bool {
	middle, isOurs := strings.CutPrefix(name, backupPrefix)
	middle, isWhole := strings.CutSuffix(middle, backupSuffix)
	made, err := time.Parse(backupTime, middle)
	return isOurs && isWhole && err == nil && made.Format(backupTime) == middle
}

// isBackupRest reports whether that is the name of what a kill or a power cut left of one that was being written (durable.Replace).
func isBackupRest(name string) bool {
	name, isHidden := strings.CutPrefix(name, ".")
	name, number, _ := strings.Cut(name, backupSuffix+".edgechat-")
	return isHidden && isBackupName(name+backupSuffix) && number != "" && strings.Trim(number, "0123456789") == ""
}

// newBackup names a backup to be made in a folder, which has to be there: it may be the mount point of a disk that is
// missing, and backups in its place would fill the card.
func newBackup(folder string, now time.Time) (string, error) {
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", &failure{errs: []error{err}, hint: fmt.Sprintf("make it first, or mount it: mkdir -m 700 %q", folder), code: 1}
	case err != nil:
		return "", &failure{errs: []error{err}, hint: fileHint(err, folder), code: 1}
	case !info.IsDir():
		return "", misuse("edgechat help backup", "--keep needs a folder, and %s is a file", folder)
	}
	return filepath.Join(folder, backupPrefix+now.UTC().Format(backupTime)+backupSuffix), nil
}

// rotate checks the new backup and then removes all but the keep newest of its folder, by name. The new one stays whatever
// its name says, for a board's clock may be wrong; while it is not whole, all others stay.
func rotate(fresh string, keep int) (removed []string, err error) {
	report, err := store.Check(fresh)
	switch {
	case err != nil:
		return nil, fmt.Errorf("check the new backup, before any other is removed: %w", err)
	case report.Kind != "backup" || len(report.Problems) > 0:
		return nil, fmt.Errorf("%s is not whole, so no other was removed: %s", fresh, strings.Join(report.Problems, "; "))
	}
	folder := filepath.Dir(fresh)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var old []string
	for _, e := range entries {
		switch name := e.Name(); {
		case !e.Type().IsRegular() || name == filepath.Base(fresh):
		case isBackupName(name):
			old = append(old, name)
		case isBackupRest(name):
			gone, err := durable.RemoveLeft(filepath.Join(folder, name))
			if err != nil {
				return removed, err
			}
			if gone {
				removed = append(removed, name)
			}
		}
	}
	slices.Sort(old)
	old = old[:max(0, len(old)-(keep-1))]
	for _, name := range old {
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, durable.SyncDir(folder)
}
