package faultydisk

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// write writes a file through to the device and returns what the system says.
func write(path string, p []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(p, 0)
	return errors.Join(err, f.Sync(), f.Close())
}

// TestFaults has each kind of operation fail, hang and take long.
func TestFaults(t *testing.T) {
	t.Parallel()
	card := New(t, 32<<20)
	path := filepath.Join(card.Dir, "file")
	content := bytes.Repeat([]byte("x"), 8192)
	before := card.Stats()
	if err := write(path, content); err != nil {
		t.Fatal(err)
	}
	if did := card.Stats().Sub(before); did.Written < 8192 || did.Writes == 0 || did.Flushes == 0 {
		t.Errorf("a file of 8192 bytes that was synced: %+v", did)
	}

	card.Set(Flush, Fault{Delay: 200 * time.Millisecond, Upto: 300 * time.Millisecond})
	began := time.Now()
	if err := write(path, content); err != nil || time.Since(began) < 200*time.Millisecond {
		t.Errorf("a late flush: %v after %v", err, time.Since(began))
	}
	card.Mend()

	card.Set(Flush, Fault{Hang: true})
	done := make(chan error, 1)
	go func() { done <- write(path, content) }()
	card.AwaitHanging()
	select {
	case err := <-done:
		t.Errorf("a flush that hangs has ended: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	card.Mend()
	if err := <-done; err != nil {
		t.Errorf("a flush that was let go: %v", err)
	}

	// One block of the file alone, once it is in memory no more.
	from, to := card.Where(path, 4096)
	card.Set(Read, Fault{Err: syscall.EIO, From: from, To: to})
	read := func(at int64) error {
		card.Evict(os.Getpid(), path)
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.ReadAt(make([]byte, 4096), at)
		return err
	}
	if err := read(4096); !errors.Is(err, syscall.EIO) {
		t.Errorf("the block that cannot be read: %v", err)
	}
	if err := read(0); err != nil {
		t.Errorf("the block beside it: %v", err)
	}
	card.Set(Read, Fault{Err: syscall.EIO, Next: 1, From: from, To: to})
	_ = read(4096) // which the kernel may try again
	if err := read(4096); err != nil {
		t.Errorf("after the one that failed: %v", err)
	}
	card.Mend()

	// The file system gives up writing when its journal cannot be written: last.
	card.Set(Write, Fault{Err: syscall.EIO})
	if err := write(path, content); !errors.Is(err, syscall.EIO) {
		t.Errorf("a write that fails: %v", err)
	}
	card.Remount()
	if err := write(path, content); err != nil {
		t.Errorf("after a power cycle: %v", err)
	}
}

// A mapping is taken out of memory, too.
func TestEvictMapping(t *testing.T) {
	t.Parallel()
	card := New(t, 32<<20)
	path := filepath.Join(card.Dir, "file")
	if err := write(path, bytes.Repeat([]byte("x"), 4096)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(mapped) }()
	for range 2 {
		before := card.Stats()
		if mapped[0] != 'x' {
			t.Fatal("the mapping holds something else")
		}
		if read := card.Stats().Sub(before).Reads; read != 0 {
			t.Errorf("%d reads for a page that is in memory", read)
		}
		card.Evict(os.Getpid(), path)
		before = card.Stats()
		if mapped[0] != 'x' {
			t.Fatal("the mapping holds something else")
		}
		if read := card.Stats().Sub(before).Reads; read == 0 {
			t.Error("no read for a page that was taken out of memory")
		}
	}
}

// A card that hangs when the test ends is taken away all the same, with what waits for it.
func TestEndWhileHanging(t *testing.T) {
	t.Parallel()
	done := make(chan error, 1)
	t.Run("hang", func(t *testing.T) {
		card := New(t, 32<<20)
		card.SetAll(Fault{Hang: true})
		go func() { done <- write(filepath.Join(card.Dir, "file"), []byte("x")) }()
		card.AwaitHanging()
	})
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("who waited for the card still waits")
	}
}

// TestNamespaces ends a card, and a bind of it, while somebody has mount namespaces that were made after them. Where the
// folder of temporary files is shared, as on systems that systemd has begun, that is no art.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	if path, err := exec.LookPath("unshare"); err != nil {
		t.Skip(path, err)
	}
	var namespaces []*exec.Cmd
	t.Cleanup(func() { // after those of the card
		for _, n := range namespaces {
			_ = n.Process.Kill()
			_ = n.Wait()
		}
	})
	card, bind := New(t, 32<<20), Folder(t)
	if err := syscall.Mount(card.Dir, bind, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n := exec.Command("unshare", "--mount", "--propagation", "slave", "sh", "-c", "echo ready; exec sleep 600")
		out, err := n.StdoutPipe()
		if err == nil {
			err = n.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		namespaces = append(namespaces, n)
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatalf("unshare: %v", err)
		}
	}
	if err := unmount(bind); err != nil {
		t.Fatal(err)
	}
	card.Remount() // fails if the device is still in use
}

// TestCut records two writes to a file, the first of them flushed, and cuts the power after each step: what was
// flushed is there, what was not is there, in part or not at all.
func TestCut(t *testing.T) {
	t.Parallel()
	card := New(t, 32<<20)
	path := filepath.Join(card.Dir, "file")
	if err := write(path, bytes.Repeat([]byte("0"), 4096)); err != nil {
		t.Fatal(err)
	}
	card.Settle()
	card.Record()
	for _, content := range []string{"1", "2"} {
		if err := write(path, bytes.Repeat([]byte(content), 4096)); err != nil {
			t.Fatal(err)
		}
		card.Mark(content)
	}
	r := card.Recorded()
	found := map[Keep]map[string]int{}
	for keep := range Keeps {
		found[keep] = map[string]int{}
		replay, synced := r.Replay(), "0"
		for steps := range len(r.Steps) + 1 {
			if steps > 0 && r.Steps[steps-1].Kind == Marked {
				synced = r.Steps[steps-1].Mark
			}
			r.Mounted(t, replay.Cut(steps, keep, 1), func(dir string) {
				b, err := os.ReadFile(filepath.Join(dir, "file"))
				if err != nil || len(b) != 4096 {
					t.Fatalf("%v after %d steps: %d bytes, %v", keep, steps, len(b), err)
				}
				var kinds strings.Builder
				for i := 0; i < len(b); i += Sector {
					if b[i] < synced[0] {
						t.Errorf("%v after %d steps: %q, and %q was synced", keep, steps, b[i], synced)
					}
					if i == 0 || b[i] != b[i-Sector] {
						kinds.WriteString(string(b[i]))
					}
				}
				found[keep][kinds.String()]++
			})
		}
	}
	t.Log(found)
	torn := false
	for kinds := range found[Torn] {
		torn = torn || len(kinds) > 1
	}
	if found[All]["2"] <= found[None]["2"] || found[None]["0"] <= found[All]["0"] || !torn {
		t.Errorf("power cuts left %v", found)
	}
}
