package auth

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
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
// what to mend there. So is one that others may change, or that is empty: what has emptied it was no revocation, which
// leaves a comment. One that others may read is used, with a
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
	raw, st, err := readRegular(tokenFile, t.path)
	if err != nil {
		return err
	}
	if err := checkOwner(ErrFile, t.path, st); err != nil {
		return err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return fmt.Errorf("%w: %s is empty: make a token with \"edgechat token create NAME --tokens %[2]s\"", ErrFile, t.path)
	}
	entries, err := parse(t.path, raw)
	if err != nil {
		return err
	}
	set := &tokenSet{byHash: make(map[[32]byte]*Identity, len(entries))}
	for _, e := range entries {
		set.byHash[e.hash] = e.identity()
		set.names.Add(e.Name)
	}
	t.set.Store(set)
	// Who may read the file learns names and rooms, but no token.
	if mode := st.Mode().Perm(); mode&0o004 != 0 {
		t.log.Warn("token file can be read by others", "path", t.path, "mode", mode.String(), "hint", "chmod 600 "+t.path)
	}
	if len(set.byHash) == 0 {
		t.log.Warn("token file holds no token", "path", t.path, "hint", "edgechat token create NAME --tokens "+t.path)
	}
	return nil
}

// Path returns the file's name, as given to Load.
func (t *Tokens) Path() string { return t.path }

// Len returns the number of tokens.
func (t *Tokens) Len() int { return len(t.set.Load().byHash) }

// Lookup returns the identity of token, which may have expired.
//
// How long it takes may tell how far the hash of token agrees with one that is there: with
// work, a caller could find tokens that agree in some first bits. That helps nobody: the
// rest of the hash says nothing of a token of 256 random bits, and only the whole one lets
// its bearer in.
func (t *Tokens) Lookup(token string) (*Identity, bool) {
	id, ok := t.set.Load().byHash[sha256.Sum256([]byte(token))]
	return id, ok
}

// current returns what the token of id stands for now, nil if it is revoked.
func (t *Tokens) current(id *Identity) *Identity { return t.set.Load().byHash[id.hash] }
