package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

// FuzzScan changes a file in a few places: each 4 bytes of the input are a
// position, in two bytes of 8, and what to write there. A file that the scan
// finds whole must not trouble bbolt, which would end the process: it walks the
// file in a goroutine of its own. Of any file, all that is handed out as a message was one.
func FuzzScan(f *testing.F) {
	path := filepath.Join(f.TempDir(), "edgechat.db")
	s, err := Open(Config{Path: path, History: 30})
	if err != nil {
		f.Fatal(err)
	}
	said := make(map[codec.ID]string)
	for i := range 200 {
		c := content(uint64(i))
		id, _ := s.appended("den", codec.Message{Content: c}, "", nil)
		said[id] = c
		if i%20 == 0 {
			sayStored(f, s, "hall", "x", "")
		}
	}
	closeStore(f, s)
	sound, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	sound = sound[:min(len(sound), 60*pageSize)]
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0})                                     // the first meta
	f.Add([]byte{2, 0, 0, 1, 2, 1, 0, 1})                         // the second, and both
	f.Add([]byte{4, 1, 0xff, 0xff, 6, 1, 0xff, 0xff})             // kinds and counts
	f.Add([]byte{8, 2, 0xff, 0x7f, 10, 2, 1, 0, 12, 2, 0, 0})     // elements
	f.Add([]byte{20, 0, 20, 0, 22, 0, 0, 0, 24, 8, 7, 7})         // further down
	f.Add(bytes.Repeat([]byte{0x10, 0x20, 0x30, 0x40, 0x41}, 40)) // everywhere
	f.Fuzz(func(t *testing.T, edits []byte) {
		b := bytes.Clone(sound)
		for ; len(edits) >= 4; edits = edits[4:] {
			at := int(binary.BigEndian.Uint16(edits)) * 8 % len(b)
			copy(b[at:], edits[2:4])
		}
		path := filepath.Join(t.TempDir(), "edgechat.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		file, _, _, err := openFile(path, false)
		if err != nil {
			t.Fatal(err)
		}
		sc, err := scanFile(file)
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(0)
		sc.each(func(seq uint64, r *codec.Record, _ []byte) {
			if seq <= last {
				t.Errorf("message %d follows %d", seq, last)
			}
			last = seq
			if id := r.Message.ID; r.Room == "den" && said[id] != r.Message.Content {
				t.Errorf("message %s: %.30q", id, r.Message.Content)
			}
		})
		if sc.damaged() || sc.fresh {
			_ = file.Close()
			return
		}
		h := &history{file: file, path: path, quota: 8 << 20}
		defer h.close()
		for range 2 { // also heals a meta page that was torn
			err := h.update(nil, func(tx *bolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists(logBucket)
				if err != nil {
					return err
				}
				last++
				return b.Put(sequenceKey(nil, last), []byte("x"))
			})
			if err != nil {
				t.Errorf("a write: %v", err)
			}
		}
		err = h.update(nil, func(tx *bolt.Tx) error {
			for err := range tx.Check() {
				t.Errorf("bbolt: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// FuzzFormat decodes state and place from anything: on success they encode to
// what was read.
func FuzzFormat(f *testing.F) {
	st := fullState
	f.Add(st.append(nil))
	p := place{head: 1 << 40, starts: []start{{n: 1, first: 1, name: "abc"}, {n: 7, first: 500, name: "def"}}}
	f.Add(p.append(nil))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		// What has a wrong checksum is refused at once: give it a right one, so that the rest is tried too.
		for _, b := range [][]byte{b, appendChecksum(bytes.Clone(b), 0)} {
			if st, err := decodeState(b); err == nil {
				again, err := decodeState(st.append(nil))
				if err != nil || !bytes.Equal(again.append(nil), st.append(nil)) {
					t.Errorf("state %+v, again %+v, %v", st, again, err)
				}
			}
			if p, err := decodePlace(b); err == nil {
				again, err := decodePlace(p.append(nil))
				if err != nil || !bytes.Equal(again.append(nil), p.append(nil)) {
					t.Errorf("place %+v, again %+v, %v", p, again, err)
				}
			}
		}
	})
}

// fullState has something in each field.
var fullState = state{
	clean: true, floor: 300, tally: tally{1000, 20}, checkpoint: 1 << 41, id: 7, runs: 3, changes: 12, time: 1e18, identity: "this one",
	epochs: epochs{{n: 1, name: "abc"}, {n: 7, name: "def", lossy: true}, {n: 8, name: "ghi", forked: true}},
}

func TestFormat(t *testing.T) {
	st := fullState
	if got, err := decodeState(st.append(nil)); err != nil || !reflect.DeepEqual(got, st) {
		t.Errorf("state: %+v, %v, want %+v", got, err, st)
	}
	p := place{head: 1 << 40, starts: []start{{n: 1, first: 1, name: "abc"}, {n: 7, first: 500, name: "def"}}}
	again, err := decodePlace(p.append(nil))
	if err != nil || again.head != p.head || len(again.starts) != 2 || again.starts[0] != p.starts[0] || again.starts[1] != p.starts[1] {
		t.Errorf("place: %+v, %v", again, err)
	}
	// Every change of a byte is noticed.
	for _, b := range [][]byte{st.append(nil), p.append(nil)} {
		for i := range b {
			b[i] ^= 0x40
			if _, err := decodeState(b); err == nil {
				t.Errorf("state with byte %d changed", i)
			}
			if _, err := decodePlace(b); err == nil {
				t.Errorf("place with byte %d changed", i)
			}
			b[i] ^= 0x40
		}
	}
}

func TestCorpus(t *testing.T) {
	for _, name := range []string{"FuzzScan", "FuzzFormat"} {
		files, err := os.ReadDir(filepath.Join("testdata", "fuzz", name))
		if err != nil || len(files) == 0 {
			t.Errorf("seed corpus of %s: %d files, %v", name, len(files), err)
		}
	}
}

func TestDeque(t *testing.T) {
	var d deque[int]
	next, first := 0, 0
	for round := range 2000 {
		if round%7 < 4 || round > 1500 && round%2 == 0 {
			d.push(next)
			next++
		} else if d.len() > 0 {
			want(t, "front", d.pop(), first)
			first++
		}
		if d.len() != next-first {
			t.Fatalf("%d in the deque, want %d", d.len(), next-first)
		}
		for i := range d.len() {
			if *d.at(i) != first+i {
				t.Fatalf("at %d: %d, want %d", i, *d.at(i), first+i)
			}
		}
	}
	for d.len() > 0 {
		d.pop()
	}
	if d.ring != nil {
		t.Error("an empty deque keeps its ring")
	}
}

func TestEpochNames(t *testing.T) {
	seen := make(map[string]bool)
	var es epochs
	for range 200 {
		es = es.next(epoch{}, 0)
		name := es.now().name
		if _, err := codec.ParseID(name + "-1"); err != nil || len(name) != 8 || seen[name] {
			t.Fatalf("name %q: %v", name, err)
		}
		seen[name] = true
	}
	want(t, "known", len(es), maxEpochs)
	want(t, "n", es.now().n, 200)
}
