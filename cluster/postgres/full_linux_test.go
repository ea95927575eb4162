package postgres

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"edgechat/cluster/clustertest"
	"edgechat/hub/logtest"
)

// TestFull: a server whose disk is full refuses, or ends. Once there is room, and it runs, all that was acknowledged is there, and no id was given twice. Only root may
// mount what is small.
func TestFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	s := folder(t, programs(t))
	small := s.data()
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", small, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no mount: %v", err)
	}
	t.Cleanup(func() {
		s.Kill(t)
		if err := syscall.Unmount(small, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(s.dir)
	})
	if b, err := exec.Command("cp", "-a", templateOf(t, s.bin).data()+"/.", small).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, b)
	}
	s.Start(t)
	n := nodes(t, s, 1)[0]
	n.SayTaken(t, "den", "1", "k1")
	ballast := filepath.Join(small, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 128<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	refused := ""
	logtest.Eventually(t, "it is full", func() bool { // WAL segments and pages that it has take some still
		r := n.Say(t, "hall", strings.Repeat("x", 60_000), "")
		if r.Err != nil {
			refused = r.Err.Error()
		}
		return r.Err != nil
	})
	t.Logf("refused: %s", refused)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.Kill(t) // which it may have done itself
	s.Start(t)
	if second := n.SayTaken(t, "den", "2", "k2"); second.Offset != 2 {
		t.Errorf("%s", second)
	}
	clustertest.Same(t, []*clustertest.Node{n}, "den", "1", "2")
}
