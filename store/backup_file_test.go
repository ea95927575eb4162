package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"edgechat/codec"
)

// fileBytes returns what the files of a folder hold, by name.
func fileBytes(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(b)
	}
	return found
}

func sameFiles(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	if len(before) != len(after) {
		t.Errorf("%s: %d files before, %d after", what, len(before), len(after))
	}
	for name, b := range before {
		if after[name] != b {
			t.Errorf("%s: %s was changed", what, name)
		}
	}
}

// TestBackupFile makes backups of files as a kill left them, and of what is no store: the source stays as it is.
func TestBackupFile(t *testing.T) {
	s := open(t, Config{})
	for _, text := range []string{"a", "b", "c"} {
		sayStored(t, s, "den", text, "")
	}
	killed := filepath.Join(t.TempDir(), "edgechat.db") // its messages are in the log alone
	copyStore(t, s.cfg.Path, killed)
	out := filepath.Join(t.TempDir(), "backup")
	if _, err := BackupFile(s.cfg.Path, out); !errors.Is(err, ErrLocked) {
		t.Errorf("of a store that is open: %v", err)
	}
	before := fileBytes(t, filepath.Dir(killed))
	for range 2 { // the second time over the first
		if r, err := BackupFile(killed, out); err != nil || r.Messages != 3 || r.Rooms != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	sameFiles(t, "backup", before, fileBytes(t, filepath.Dir(killed)))
	if found := fileBytes(t, filepath.Dir(out)); len(found) != 1 {
		t.Errorf("left behind: %d files", len(found))
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	path := filepath.Join(t.TempDir(), "missing", "edgechat.db")
	if _, aside, err := Restore(out, path); err != nil || aside != "" {
		t.Fatalf("%q, %v", aside, err)
	}
	r := open(t, Config{Path: path})
	want(t, "restored", read(t, r, "den", codec.Query{}), "a b c")

	refused := func(what, from, to string, want error) {
		t.Helper()
		before := fileBytes(t, filepath.Dir(from))
		_, err := BackupFile(from, to)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		sameFiles(t, what, before, fileBytes(t, filepath.Dir(from)))
	}
	elsewhere := filepath.Join(t.TempDir(), "backup")
	refused("a store that is not there", filepath.Join(t.TempDir(), "edgechat.db"), elsewhere, fs.ErrNotExist)
	refused("over the store", killed, killed, nil)
	refused("over its log", killed, logPath(killed), nil)
	refused("over a device", killed, os.DevNull, nil)
	refused("over a folder", killed, t.TempDir(), nil)
	refused("a backup", out, elsewhere, ErrBackup)
	v := newVictim(t)
	damaged := filepath.Join(t.TempDir(), "edgechat.db")
	clear(v.file[:2*pageSize])
	for name, b := range map[string][]byte{damaged: v.file, logPath(damaged): v.log} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused("a damaged store", damaged, elsewhere, ErrDamaged)
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("something was written of what was refused")
	}
}

// TestCheckForeign: what this program did not write is not called damaged, and what it wrote is.
func TestCheckForeign(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "text": "hello\n", "zeros": string(make([]byte, 64<<10)), "elf": "\x7fELF" + string(make([]byte, 9000)),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := Check(path); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if _, _, err := Restore(path, filepath.Join(dir, "edgechat.db")); !errors.Is(err, ErrForeign) {
			t.Errorf("restore %s: %v", name, err)
		}
	}
	// With a log beside it, a file of which nothing is left was a store.
	v := newVictim(t)
	path := filepath.Join(dir, "emptied")
	for name, b := range map[string][]byte{path: nil, logPath(path): v.log} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := Check(path); err != nil || len(r.Problems) == 0 {
		t.Errorf("emptied: %+v, %v", r, err)
	}
}

// TestRestoreCutShort starts with the new history and the old log, as when power is cut before that is removed.
func TestRestoreCutShort(t *testing.T) {
	s := open(t, Config{})
	sayStored(t, s, "den", "kept", "")
	killed := filepath.Join(t.TempDir(), "edgechat.db")
	copyStore(t, s.cfg.Path, killed)
	out := filepath.Join(t.TempDir(), "backup")
	if _, err := BackupFile(killed, out); err != nil {
		t.Fatal(err)
	}
	last := sayStored(t, s, "den", "later", "").ID
	copyStore(t, s.cfg.Path, killed)
	_, aside, err := Restore(out, killed)
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, logPath(aside), logPath(killed))
	r := open(t, Config{Path: killed})
	want(t, "restored", read(t, r, "den", codec.Query{}), "kept")
	if id := sayStored(t, r, "den", "new", "").ID; id == last || id.Epoch == last.Epoch {
		t.Errorf("%s is of the epoch of %s", id, last)
	}
	old := open(t, Config{Path: aside}) // it is a store that can be opened
	want(t, "kept aside", read(t, old, "den", codec.Query{}), "kept later")
}

// TestRestoreOwner restores as root into the folder of another user: the service has to open the file.
func TestRestoreOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s := open(t, Config{})
	sayStored(t, s, "den", "kept", "")
	closeStore(t, s)
	dir := t.TempDir()
	if err := os.Chown(dir, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "edgechat.db")
	owner := func(what string, uid, gid uint32, mode fs.FileMode) {
		t.Helper()
		if _, _, err := Restore(s.cfg.Path, path); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid || info.Mode() != mode {
			t.Errorf("%s: %d:%d %v, want %d:%d %v", what, st.Uid, st.Gid, info.Mode(), uid, gid, mode)
		}
	}
	owner("of the folder", 1234, 1235, 0o600)
	if err := errors.Join(os.Chown(path, 1236, 1237), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
	owner("of the old file", 1236, 1237, 0o640)
}

// TestRestoreBesideLog restores where the history is missing and its log is not: what was acknowledged is in it. Who has
// the log open keeps it.
func TestRestoreBesideLog(t *testing.T) {
	s := open(t, Config{})
	sayStored(t, s, "den", "old", "")
	backup := filepath.Join(t.TempDir(), "backup")
	copyStore(t, s.cfg.Path, backup+".db")
	if _, err := BackupFile(backup+".db", backup); err != nil {
		t.Fatal(err)
	}
	sayStored(t, s, "den", "acknowledged", "")
	path := filepath.Join(t.TempDir(), "edgechat.db")
	copyFile(t, s.logPath(), logPath(path))

	held, err := os.Open(logPath(path))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := lockFile(held, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Restore(backup, path); !errors.Is(err, ErrLocked) {
		t.Errorf("while somebody has the log open: %v", err)
	}
	if found := fileBytes(t, filepath.Dir(path)); len(found) != 1 || found["edgechat.db-wal"] == "" {
		t.Fatalf("%d files are there", len(found))
	}
	_ = held.Close()

	_, aside, err := Restore(backup, path)
	if err != nil || aside == "" {
		t.Fatalf("kept as %q, %v", aside, err)
	}
	want(t, "restored", read(t, open(t, Config{Path: path}), "den", codec.Query{}), "old")
	want(t, "kept aside", read(t, open(t, Config{Path: aside}), "den", codec.Query{}), "old acknowledged")
}
