package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// fileSigns are those of files that are damaged, replaced, restored or copied.
func fileSigns() []sign {
	read := func(b *shown) func() {
		return func() {
			_, _, _ = b.get("/chat/room/old/messages?limit=300", 10*time.Second)
			b.shout("old", "new")
		}
	}
	const replaced = "a file or the folder is deleted, renamed, replaced, another card is mounted in its place"
	return []sign{
		{
			fault: "a page cannot be read, a file is cut short", name: "a file is cut short",
			befall: func(t *testing.T) *shown {
				b := withHistory(t)
				for _, path := range b.files() {
					if err := os.Truncate(path, 0); err != nil {
						t.Fatal(err)
					}
				}
				b.refresh = read(b)
				return b
			},
			log:     []string{`level=ERROR msg="(history distrusted|stored messages damaged)"`, `level=WARN msg="something is wrong" code=lost`},
			page:    []string{`^warning: messages could not be read again since the start: [1-9]`, `^medium .* [1-9]\d* messages were lost to damage$`, `^  to do: the card is failing`},
			metrics: []string{`^edgechat_store_messages_lost_total [1-9]`},
		},
		{
			fault: "a file is overwritten under the server", name: "a file is overwritten",
			befall: func(t *testing.T) *shown {
				first := withHistory(t)
				overwrite(t, first.board)
				first.kill()
				return startShown(t, first.data)
			},
			log:     []string{`level=ERROR msg="store damaged"`, `msg="store put aside"`, `msg="store opened" .*found=damage`, `msg="something is wrong" code=damaged`},
			page:    []string{`^  found as +damaged`, `^warning: the files of the history were damaged: [1-9]`},
			metrics: []string{`^edgechat_store_salvages_total [1-9]`, `^edgechat_store_start\{found="damage"\} 1$`},
		},
		{
			fault: replaced, name: "files are deleted",
			befall: func(t *testing.T) *shown {
				b := withHistory(t)
				b.remove()
				b.refresh = read(b)
				return b
			},
			log:     []string{`level=ERROR msg="store degraded"`, `level=WARN msg="history written anew"`, `msg="store recovered"`, `level=WARN msg="something is wrong" code=reopened`},
			page:    []string{`^state +ok$`, `^warning: the files of the history were deleted, replaced or not to be trusted: [1-9]`, `^  to do: nobody may touch them`},
			metrics: []string{`^edgechat_store_reopens_total [1-9]`, `^edgechat_store_degraded 0$`},
		},
		{
			fault: replaced, name: "a file is where the folder was",
			befall: func(t *testing.T) *shown {
				b := startShown(t, filepath.Join(t.TempDir(), "data"))
				if err := errors.Join(os.RemoveAll(b.data), os.WriteFile(b.data, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
				b.refresh = func() { b.shout("den", "hello") }
				return b
			},
			log:     []string{`level=ERROR msg="store degraded"`, `level=ERROR msg="something is wrong" code=store`},
			page:    []string{`^state +degraded$`, `^PROBLEM: store: .*messages are in memory alone since`, `^  to do: .* is gone, or no folder any more: `},
			metrics: []string{`^edgechat_store_degraded 1$`, `^edgechat_store_pending_messages [1-9]`},
		},
		{
			fault: "a backup is restored, a card is copied", name: "a backup is restored",
			befall: func(t *testing.T) *shown {
				first := withHistory(t)
				file := filepath.Join(t.TempDir(), "backup")
				run := func(args ...string) {
					t.Helper()
					if out, err := exec.Command("edgechat", args...).CombinedOutput(); err != nil {
						t.Fatalf("%q: %v\n%s", args, err, out)
					}
				}
				run("backup", "--admin", first.socket, file)
				first.say("old", "after the backup")
				first.stop()
				first.remove()
				run("restore", "--data", first.data, file)
				return startShown(t, first.data)
			},
			log:     []string{`msg="store opened" .*found=copy`},
			page:    []string{`^  found as +a restored backup or a copy`},
			metrics: []string{`^edgechat_store_start\{found="copy"\} 1$`},
		},
	}
}

// withHistory is a server with messages that are on its disk alone.
func withHistory(t *testing.T) *shown {
	t.Helper()
	first := startBoard(t, filepath.Join(t.TempDir(), "data"))
	first.say("old", filler(500)...)
	first.stop()
	return startShown(t, first.data)
}

func overwrite(t *testing.T, b *board) {
	t.Helper()
	for _, path := range b.files() {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil {
			_, err = f.WriteAt(make([]byte, 8192), 0)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSignOfNewer: a store of a later version is refused at the start, with what to do; nobody serves then, and "admin status"
// says that.
func TestSignOfNewer(t *testing.T) {
	b := startShown(t, filepath.Join(t.TempDir(), "data"))
	b.say("den", "x")
	b.stop()
	newer(t, filepath.Join(b.data, storeFile))
	second := runServe(t, nil, "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+b.data, "EDGECHAT_ADMIN="+b.socket)
	if err := second.cmd.Wait(); err == nil || !strings.Contains(second.log.String(), "install that version again") {
		t.Errorf("the start: %v\n%s", err, second.log)
	}
	if out, err := exec.Command("edgechat", "admin", "status", "--admin", b.socket).CombinedOutput(); err == nil || !strings.Contains(string(out), "error: ") {
		t.Errorf("admin status: %v\n%s", err, out)
	}
}

// newer makes a store one of a later version: of its state the first byte is the version, and the last four are a checksum.
func newer(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		state := bytes.Clone(meta.Get([]byte("state")))
		state = state[:len(state)-4]
		state[0]++
		sum := crc32.Checksum(state, crc32.MakeTable(crc32.Castagnoli))
		return meta.Put([]byte("state"), binary.BigEndian.AppendUint32(state, sum))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
