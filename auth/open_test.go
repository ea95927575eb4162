package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOddFiles: what is no file of one's own that holds something is refused, by name and with the mend, at once; on a Reload the
// tokens stay.
func TestOddFiles(t *testing.T) {
	line := `{"name":"Ann","sha256":"` + hashA + `","access":"read"}`
	put := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	for name, odd := range map[string]struct {
		make func(path string) error
		want string
	}{
		"pipe":   {func(path string) error { return syscall.Mkfifo(path, 0o600) }, " is a pipe"},
		"folder": {func(path string) error { return os.Mkdir(path, 0o700) }, " is a folder"},
		"device": {func(path string) error { return os.Symlink("/dev/zero", path) }, " is a device"},
		"empty":  {put(""), " is empty: make a token"},
		"blank":  {put(" \n\t\n"), " is empty: make a token"},
		"others": {func(path string) error { return errors.Join(put(line)(path), os.Chmod(path, 0o602)) }, "chmod go-w "},
		"group":  {func(path string) error { return errors.Join(put(line)(path), os.Chmod(path, 0o660)) }, "mode 0660"},
		"stranger": {func(path string) error {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			return errors.Join(put(line)(path), os.Chown(path, 54321, -1))
		}, "belongs to user 54321"},
		"gone": {func(string) error { return nil }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens")
			if err := put(line)(path); err != nil {
				t.Fatal(err)
			}
			tokens := must[*Tokens](t)(Load(path, nil))
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := odd.make(path); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 2)
			go func() { // ends when the file is refused, and is waited for
				_, err := Load(path, nil)
				done <- err
				done <- tokens.Reload()
			}()
			for range 2 {
				select {
				case err := <-done:
					if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), odd.want) {
						t.Errorf("%v, want %q of %s", err, odd.want, path)
					}
				case <-time.After(30 * time.Second):
					t.Fatal("it waits for the file")
				}
			}
			if _, ok := tokens.Lookup("a"); !ok {
				t.Error("a reload that failed has forgotten the tokens")
			}
		})
	}
}

// TestLastRevoked: the revocation of the last token counts, though the file holds none then.
func TestLastRevoked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token := must[string](t)(Create(path, Grant{Name: "Ann", Access: Read}))
	tokens := must[*Tokens](t)(Load(path, nil))
	if err := errors.Join(Revoke(path, "Ann"), tokens.Reload()); err != nil {
		t.Fatal(err)
	}
	if _, ok := tokens.Lookup(token); ok || tokens.Len() != 0 {
		t.Error("it still counts")
	}
	must[string](t)(Create(path, Grant{Name: "Bob", Access: Read}))
	if err := tokens.Reload(); err != nil || tokens.Len() != 1 {
		t.Errorf("%d tokens, %v", tokens.Len(), err)
	}
}
