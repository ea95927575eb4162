package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

// TestForeign: what this program does not write into a history is damage that is named, be the file
// in order for bbolt or not. No message is lost for it.
func TestForeign(t *testing.T) {
	t.Parallel()
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 1000}
	s := open(t, cfg)
	for i := range 100 { // over several pages, some of which are free again
		say(t, s, "den", fmt.Sprintf("%d%s", i, strings.Repeat("x", 300)))
		if i%20 == 0 {
			sayFolded(t, s, "hall", "x", "")
		}
	}
	all := read(t, s, "den", codec.Query{})
	closeStore(t, s)
	f, err := os.Open(s.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := openView(f)
	if err != nil {
		t.Fatal(err)
	}
	freelist := int64(v.freelist) * pageSize

	// in changes the file by bbolt, at changes its bytes.
	in := func(change func(tx *bolt.Tx) error) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(change), db.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(pos int64, b []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt(b, pos)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	number := func(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }
	short := func(n uint16) []byte { return binary.NativeEndian.AppendUint16(nil, n) }
	for want, change := range map[string]func(t *testing.T, path string){
		`a bucket "guests" that is not of this program`: in(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("guests")); return err }),
		`an entry "guest" outside of the buckets`:       in(func(tx *bolt.Tx) error { return tx.Cursor().Bucket().Put([]byte("guest"), []byte("x")) }),
		"a message with the key 00000000000001":         in(func(tx *bolt.Tx) error { return tx.Bucket(logBucket).Put([]byte{0, 0, 0, 0, 0, 0, 1}, []byte("x")) }),
		"a message with the key 0102030405060708": in(func(tx *bolt.Tx) error {
			_, err := tx.Bucket(logBucket).CreateBucket([]byte{1, 2, 3, 4, 5, 6, 7, 8})
			return err
		}),
		`no state in the bucket "meta"`: in(func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Delete(stateKey) }),
		"state: checksum does not match": in(func(tx *bolt.Tx) error {
			return tx.Bucket(metaBucket).Put(stateKey, append([]byte("x"), tx.Bucket(metaBucket).Get(stateKey)...))
		}),
		fmt.Sprintf("page %d is not free", v.root): at(freelist+pageHeader, number(v.root)),
		"page 1 is not free":                       at(freelist+pageHeader, number(1)),
		"page 1048576 is not free":                 at(freelist+pageHeader, number(1<<20)),
		"65534 free pages do not fit":              at(freelist+10, short(0xfffe)),
		"the meta page at 0 has the number 7":      at(0, number(7)),
		"the meta page at 4096 has the number 7":   at(pageSize, number(7)),
		"is of the wrong kind (0x4)":               at(int64(v.root)*pageSize+8, short(flagMeta)),
	} {
		t.Run(want, func(t *testing.T) {
			cfg := cfg
			cfg.Path = filepath.Join(t.TempDir(), "edgechat.db")
			copyStore(t, s.cfg.Path, cfg.Path)
			change(t, cfg.Path)
			f, err := os.Open(cfg.Path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			sc, err := scanFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sc.readState(); err != nil || !sc.damaged() || !strings.Contains(fmt.Sprint(sc.problems), want) {
				t.Errorf("%q, %v", sc.problems, err)
			}
			s := open(t, cfg)
			if got := read(t, s, "den", codec.Query{}); s.Stats().Salvages != 1 || strings.TrimPrefix(got, "!") != all {
				t.Errorf("%d salvages, %d bytes of messages, not %d", s.Stats().Salvages, len(got), len(all))
			}
		})
	}
}
