package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOldRoomsMoved: what a store of before names had one form has in rooms that nobody can name is reached again as the hint says: by an export, and its
// import into a new folder. And a room is exported by any of its spellings.
func TestOldRoomsMoved(t *testing.T) {
	const composed, apart = "K\u00fcche", "Ku\u0308che"
	folder := t.TempDir()
	zipped, err := os.Open("../../server/testdata/old-rooms.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer zipped.Close()
	r, err := gzip.NewReader(zipped)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, storeFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	all, _ := edgechat(t, "export", "--data", folder)
	if strings.Count(all, "\n") != 5 || !strings.Contains(all, apart) {
		t.Fatalf("the export:\n%s", all)
	}
	for _, room := range []string{composed, apart} { // both rooms, which are one now
		if out, _ := edgechat(t, "export", room, "--data", folder); strings.Count(out, "\n") != 3 {
			t.Errorf("export of %+q:\n%s", room, out)
		}
	}
	file, into := filepath.Join(t.TempDir(), "all.ndjson"), filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(file, []byte(all), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said := edgechat(t, "import", file, "--data", into)
	if !strings.Contains(out, "4 messages imported") || !strings.Contains(out, "1 not placed") || !strings.Contains(said, "1 message not placed") {
		t.Errorf("the import: %s%s", out, said)
	}
	for _, room := range []string{"Den", "\uff24en", "den"} {
		if out, _ := edgechat(t, "export", room, "--data", into); strings.Count(out, "\n") != 1 {
			t.Errorf("export of %+q:\n%s", room, out)
		}
	}
	for _, room := range []string{composed, apart} {
		if out, _ := edgechat(t, "export", room, "--data", into); strings.Count(out, "\n") != 2 || strings.Contains(out, apart) {
			t.Errorf("export of %+q:\n%s", room, out)
		}
	}
}
