package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"edgechat/internal/durable"
)

// Prefix begins every token that Create makes, so that a scanner for leaked
// secrets, or a person, knows one when it sees it.
const Prefix = "edc_"

// A Token is what a token file says of a token: all but the token.
type Token struct {
	Identity
	Created time.Time // zero if the file does not say
}

// A Grant says what a token is to stand for.
type Grant struct {
	Name    string
	Access  Access
	Rooms   []string  // as in Identity; none for Metrics and Admin, which are about all
	Expires time.Time // from when on it is not valid any more, in whole seconds; zero is never
}

// List returns the tokens of the file at path, in its order.
func List(path string) ([]Token, error) {
	_, entries, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var list []Token
	for _, e := range entries {
		t := Token{Identity: *e.identity()}
		if e.Created != nil {
			t.Created = *e.Created
		}
		list = append(list, t)
	}
	return list, nil
}

// Create adds a token to the file at path, which it makes with mode 0600 if
// there is none, and returns it: "edc_" and 32 random bytes in base64url. It is
// not kept anywhere else. No rooms means all rooms.
//
// The file is replaced in one step, with its mode and owner kept: a server that
// reads it meanwhile sees the old one or the new one, and two Creates at once
// both count. The error is ErrExists if the name is taken.
func Create(path string, g Grant) (token string, err error) {
	name, access, rooms := g.Name, g.Access, g.Rooms
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch now := time.Now(); {
	case access < None || access > Admin:
		return "", fmt.Errorf("%w: access of %q must be none, metrics, read, write, moderate or admin", ErrInvalid, name)
	case access.wholeServer() && len(rooms) > 0:
		return "", fmt.Errorf("%w: access %v is about the whole server: leave rooms out", ErrInvalid, access)
	case !g.Expires.IsZero() && !g.Expires.After(now):
		return "", fmt.Errorf("%w: %q would expire at %s, which is not in the future", ErrInvalid, name, g.Expires.UTC().Format(time.RFC3339))
	}
	for _, p := range rooms {
		if err := checkPattern(p); err != nil {
			return "", fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	token = Prefix + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	now := time.Now().UTC().Truncate(time.Second)
	r := record{name, hex.EncodeToString(sum[:]), access, rooms, &now, nil}
	if !g.Expires.IsZero() {
		end := g.Expires.UTC().Truncate(time.Second)
		r.Expires = &end
	}
	line, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("auth: create token %q: %w", name, err)
	}
	err = edit(path, true, func(raw []byte, entries []entry) ([]byte, error) {
		if i := slices.IndexFunc(entries, func(e entry) bool { return e.Name == name }); i >= 0 {
			return nil, fmt.Errorf("%w: %q in %s:%d", ErrExists, name, path, entries[i].line)
		}
		if len(raw) > 0 && raw[len(raw)-1] != '\n' {
			raw = append(raw, '\n')
		}
		return append(append(raw, line...), '\n'), nil
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// emptied is what a file has whose last token was revoked: without it, it could have been emptied by mishap.
const emptied = "# no token is left\n"

// Revoke takes the token of that name out of the file at path and leaves every
// other line as it is. The error is ErrNotFound if there is none.
func Revoke(path, name string) error {
	return edit(path, false, func(raw []byte, entries []entry) ([]byte, error) {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q in %s", ErrNotFound, name, path)
		}
		var kept []byte
		n := 0
		for line := range bytes.Lines(raw) {
			if n++; n != entries[i].line {
				kept = append(kept, line...)
			}
		}
		if len(bytes.TrimSpace(kept)) == 0 {
			kept = []byte(emptied) // an empty file is refused
		}
		return kept, nil
	})
}

// lockTimeout is how long an edit waits for another one. An edit takes
// milliseconds, so whoever holds the lock longer is stopped or stuck.
const lockTimeout = 5 * time.Second

// edit replaces the file at path by what change makes of it; create says whether
// it may be missing. Edits in the same folder wait for each other.
func edit(path string, create bool, change func(raw []byte, entries []entry) ([]byte, error)) error {
	// A link stays a link: what it points to is replaced.
	real, err := durable.Resolve(path)
	if err != nil {
		return fmt.Errorf("auth: change token file: %w", err)
	}
	folder := filepath.Dir(real)
	dir, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("auth: change token file %s: %w", path, err)
	}
	defer dir.Close()
	// The folder is locked, not the file: the file is replaced under the lock. Where
	// nothing can be locked the edit is a single rename all the same.
	if err := durable.Lock(dir, false, lockTimeout); err != nil && !errors.Is(err, durable.ErrNoLocks) {
		return fmt.Errorf("auth: change token file %s: lock folder %s for %s: %w", path, folder, lockTimeout, err)
	}
	var raw []byte
	var entries []entry
	if raw, entries, err = readFile(real); err != nil && !(create && errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	if raw, err = change(raw, entries); err != nil {
		return err
	}
	err = durable.Replace(real, func(f *os.File) error {
		_, err := f.Write(raw)
		return err
	})
	if err != nil {
		return fmt.Errorf("auth: change token file %s: %w", path, err)
	}
	return nil
}
