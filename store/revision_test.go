package store

import (
	"bytes"
	"os"
	"testing"
	"time"
)

// nowhere waits until what revisions took away was erased, and looks for texts in the bytes of both files.
func nowhere(t testing.TB, s *Store, texts []string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !s.closed.Load() && s.Stats().Unerased; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not erased: %+v", s.Stats())
		}
	}
	for _, path := range []string{s.cfg.Path, s.logPath()} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if at := bytes.Index(b, []byte(text)); at >= 0 {
				t.Fatalf("%q is at byte %d of %s", text, at, path)
			}
		}
	}
}
