package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/store"
)

// TestKilledCommands kills commands in their midst: what they had in files of their own goes with the next of the same kind, or
// with the next start, and what is somebody else's stays.
func TestKilledCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(filepath.Join(dir, "temp"), 0o700); err != nil {
		t.Fatal(err)
	}
	const messages = 5000
	fillStore(t, filepath.Join(data, storeFile), messages)
	exported := filepath.Join(dir, "exported")
	inDir(t, dir, "edgechat export --data "+data+" >"+exported)
	stored := filepath.Join(dir, "stored.db")
	inDir(t, dir, "cp "+filepath.Join(data, storeFile)+" "+stored) // it was closed, so that its log has nothing
	for _, c := range []struct {
		name, command string
		left          string // where, below dir
	}{
		{"backup", "edgechat backup --data data out/backup", "out"},
		{"backup to standard output", "edgechat backup --data data - >/dev/null", "temp"},
		{"export", "edgechat export --data data >/dev/null", "temp"},
		{"restore", "edgechat restore --data restored stored.db", "restored"},
		{"import", "edgechat import --data imported exported", "imported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := filepath.Join(dir, c.left)
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			mine := filepath.Join(folder, ".edgechat-mine")
			if err := os.WriteFile(mine, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(c.left, "ed") { // the next start
				leaveSome(t, dir, folder, c.command)
				b := startBoard(t, folder)
				b.stop()
				if left := leftIn(folder); len(left) != 0 {
					t.Errorf("after a start there is %q", left)
				}
			}
			leaveSome(t, dir, folder, c.command)
			inDir(t, dir, c.command)
			if left := leftIn(folder); len(left) != 0 {
				t.Errorf("after the same command there is %q", left)
			}
			if _, err := os.Stat(mine); err != nil {
				t.Error(err)
			}
			if strings.HasSuffix(c.left, "ed") {
				report, err := store.Check(filepath.Join(folder, storeFile))
				if err != nil || report.Messages != messages || len(report.Problems) > 0 {
					t.Errorf("%+v, %v", report, err)
				}
			}
		})
	}
}

// fillStore makes a store that is closed in order.
func fillStore(t *testing.T, path string, messages int) {
	t.Helper()
	s, err := store.Open(store.Config{Path: path, History: messages})
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		m := codec.Message{Username: "a", Time: 1, Content: fmt.Sprint(i, strings.Repeat("x", 500))}
		if err := s.Append(fmt.Sprint("room", i%10), m, "", codec.Done{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// leaveSome runs a command and kills it once it has a file of its own in folder, until one is left.
func leaveSome(t *testing.T, dir, folder, command string) {
	t.Helper()
	for range 100 {
		cmd := commandIn(dir, command)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for running := true; running; {
			select {
			case <-ended:
				running = false
			case <-time.After(100 * time.Microsecond):
				if len(leftIn(folder)) > 0 {
					_ = cmd.Process.Kill()
					<-ended
					running = false
				}
			}
		}
		if len(leftIn(folder)) > 0 {
			return
		}
	}
	t.Fatalf("%s: nothing is left of it, however often it is killed", command)
}

// leftIn returns what commands have in a folder for as long as they take.
func leftIn(folder string) (left []string) {
	for _, pattern := range []string{".edgechat-*.*", ".*.edgechat-*"} {
		found, _ := filepath.Glob(filepath.Join(folder, pattern))
		left = append(left, found...)
	}
	return left
}

func commandIn(dir, command string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", "exec "+command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(dir, "temp"))
	return cmd
}

func inDir(t *testing.T, dir, command string) {
	t.Helper()
	if out, err := commandIn(dir, command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}
