package auth

import (
	"crypto/sha256"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"

	"edgechat/names"
)

// Tokens is a token file in memory. All methods may be called from any
// goroutine.
type Tokens struct {
	path string
	log  *slog.Logger
	set  atomic.Pointer[tokenSet] // replaced, never changed
}

// A tokenSet is what one reading of the file gave.
type tokenSet struct {
	byHash map[[32]byte]*Identity
	names  names.Set
}

// Load reads the token file at path. An error names the file, the line, and
// what to mend there. A file that others may read or change is used, with a
// warning to log; a nil log discards.
func Load(path string, log *slog.Logger) (*Tokens, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t := &Tokens{path: path, log: log}
	if err := t.Reload(); err != nil {
		return nil, err
	}
	return t, nil
}

// Reload reads the file again. On an error the tokens stay as they were.
func (t *Tokens) Reload() error {
	_, entries, err := readFile(t.path)
	if err != nil {
		return err
	}
	set := &tokenSet{byHash: make(map[[32]byte]*Identity, len(entries))}
	for _, e := range entries {
		set.byHash[e.hash] = &Identity{Name: e.Name, Access: e.Access, Rooms: e.Rooms}
		set.names.Add(e.Name)
	}
	t.set.Store(set)
	t.warnMode()
	return nil
}

// warnMode complains of permissions that let others in. Who may change the file
// can make a token; who may read it learns names and rooms, but no token.
func (t *Tokens) warnMode() {
	st, err := os.Stat(t.path)
	if err != nil {
		return
	}
	const writable, readable fs.FileMode = 0o022, 0o004
	mode := st.Mode().Perm()
	switch {
	case mode&writable != 0:
		t.log.Warn("token file can be changed by others", "path", t.path, "mode", mode.String(), "hint", "chmod 600 "+t.path)
	case mode&readable != 0:
		t.log.Warn("token file can be read by others", "path", t.path, "mode", mode.String(), "hint", "chmod 600 "+t.path)
	}
}

// Path returns the file's name, as given to Load.
func (t *Tokens) Path() string { return t.path }

// Len returns the number of tokens.
func (t *Tokens) Len() int { return len(t.set.Load().byHash) }

// Lookup returns the identity of token.
//
// How long it takes may tell how far the hash of token agrees with one that is there: with
// work, a caller could find tokens that agree in some first bits. That helps nobody: the
// rest of the hash says nothing of a token of 256 random bits, and only the whole one lets
// its bearer in.
func (t *Tokens) Lookup(token string) (*Identity, bool) {
	id, ok := t.set.Load().byHash[sha256.Sum256([]byte(token))]
	return id, ok
}
