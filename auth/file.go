package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// The token file: one JSON object a line; blank lines, and lines whose first
// character is "#", are kept and ignored.
//
//	# the NAS announces its backups
//	{"name":"nas","sha256":"9f86...","access":"write","rooms":["backup","nas-*"],"created":"2026-11-22T12:00:00Z","expires":"2027-01-01T00:00:00Z"}
//
// It holds the SHA-256 of each token, in hex. A token has 256 random bits, so a
// plain hash is enough: there is nothing to guess that salt or stretching would
// slow down.

// record is a line of the file.
type record struct {
	Name    string     `json:"name"`
	SHA256  string     `json:"sha256"`
	Access  Access     `json:"access"`
	Rooms   []string   `json:"rooms,omitempty"`
	Created *time.Time `json:"created,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

// entry is a line that was read and is valid.
type entry struct {
	record
	hash [32]byte
	line int // from 1
}

func (e *entry) identity() *Identity {
	id := &Identity{Name: e.Name, Access: e.Access, Rooms: e.Rooms, hash: e.hash}
	if e.Expires != nil {
		id.Expires = e.Expires.Unix()
	}
	return id
}

// maxFile bounds what is read as a token file: some 50,000 tokens.
const maxFile = 16 << 20

// readFile returns the raw bytes of the file at path, and its entries.
func readFile(path string) ([]byte, []entry, error) {
	raw, _, err := readRegular(tokenFile, path)
	if err != nil {
		return nil, nil, err
	}
	entries, err := parse(path, raw)
	return raw, entries, err
}

// parse reads a whole file. One bad line spoils it: to skip the line would lock
// somebody out, or leave a restriction out, without anyone noticing.
func parse(path string, raw []byte) ([]entry, error) {
	var entries []entry
	names := map[string]int{}
	hashes := map[[32]byte]int{}
	n := 0
	for line := range bytes.Lines(raw) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		e, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %s:%d: %w", ErrFile, path, n, err)
		}
		if at, dup := names[e.Name]; dup {
			return nil, fmt.Errorf("%w: %s:%d: name %q is that of line %d too: remove one of them", ErrFile, path, n, e.Name, at)
		}
		if at, dup := hashes[e.hash]; dup {
			return nil, fmt.Errorf("%w: %s:%d: sha256 is that of line %d too: give each name its own token", ErrFile, path, n, at)
		}
		e.line = n
		names[e.Name], hashes[e.hash] = n, n
		entries = append(entries, e)
	}
	return entries, nil
}

func parseLine(line []byte) (entry, error) {
	var e entry
	d := json.NewDecoder(bytes.NewReader(line))
	// A misspelled "rooms" would open all rooms.
	d.DisallowUnknownFields()
	if err := d.Decode(&e.record); err != nil {
		return e, fmt.Errorf("not a JSON object with name, sha256, access, rooms, created, expires: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return e, errors.New("there is more after the JSON object: put one on each line")
	}
	if err := checkName(e.Name); err != nil {
		return e, err
	}
	if b, err := hex.DecodeString(e.SHA256); err != nil || len(b) != len(e.hash) {
		return e, fmt.Errorf("sha256 of %q must be 64 hex digits: make a token with \"edgechat token create\"", e.Name)
	} else {
		e.hash = [32]byte(b)
	}
	if e.Access == Unset {
		return e, fmt.Errorf("access of %q is missing: write \"read\", \"write\", \"moderate\", \"admin\", \"metrics\" or \"none\"", e.Name)
	}
	if e.Access.wholeServer() && e.Rooms != nil {
		return e, fmt.Errorf("access %v of %q is about the whole server: leave rooms out", e.Access, e.Name)
	}
	if e.Expires != nil && e.Expires.Unix() <= 0 {
		return e, fmt.Errorf("expires of %q is before 1970: write a time such as \"2027-01-01T00:00:00Z\"", e.Name)
	}
	// Whoever deletes the last room of a list hardly means to open all of them.
	if e.Rooms != nil && len(e.Rooms) == 0 {
		return e, fmt.Errorf("rooms of %q is empty: leave it out, or write [\"*\"], for all rooms", e.Name)
	}
	for _, p := range e.Rooms {
		if err := checkPattern(p); err != nil {
			return e, err
		}
	}
	return e, nil
}
