package doctor

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/faultydisk"
)

// TestMediums has the data on real file systems: in memory, in an overlay, on cards.
func TestMediums(t *testing.T) {
	t.Parallel()
	overlay := func(t *testing.T, upper string) string {
		for _, dir := range []string{"upper", "work"} {
			if err := os.Mkdir(filepath.Join(upper, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return faultydisk.Mount(t, "overlay", "lowerdir="+t.TempDir()+",upperdir="+upper+"/upper,workdir="+upper+"/work")
	}
	board := func(dir string) Board { return Board{Data: dir, Path: DefaultPath} }
	t.Run("tmpfs", func(t *testing.T) {
		look(t, board(faultydisk.Mount(t, "tmpfs", "size=300m")), "medium", want{Warning, "gone when the power is"})
	})
	t.Run("a folder that is not there yet", func(t *testing.T) {
		look(t, board(faultydisk.Mount(t, "tmpfs", "size=300m")+"/a/b"), "medium", want{Warning, "gone when the power is"})
	})
	t.Run("overlay on tmpfs", func(t *testing.T) {
		look(t, board(overlay(t, faultydisk.Mount(t, "tmpfs", "size=64m"))), "medium", want{Warning, "upper layer is in memory"})
	})
	t.Run("overlay on a card", func(t *testing.T) {
		look(t, board(overlay(t, faultydisk.New(t, 64<<20).Dir)), "medium", want{OK, "overlay"})
	})
	t.Run("card", func(t *testing.T) {
		look(t, board(faultydisk.New(t, 64<<20).Dir), "medium", want{OK, "without fast_commit"})
	})
	t.Run("card with fast_commit", func(t *testing.T) {
		b := tree{"bin/dumpe2fs": `echo 'Filesystem features:      has_journal fast_commit extent'`}.board(t)
		real := board(faultydisk.New(t, 64<<20).Dir)
		real.Path = b.Path
		look(t, real, "medium", want{Warning, "sudo tune2fs -O ^fast_commit /dev/loop"})
	})
	t.Run("read-only", func(t *testing.T) {
		dir := faultydisk.Mount(t, "tmpfs", "size=300m")
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		look(t, board(dir), "medium", want{Problem, "mount -o remount,rw " + dir})
		look(t, board(dir), "flush", want{Problem, "read-only file system"})
	})
	t.Run("full", func(t *testing.T) {
		look(t, board(faultydisk.Mount(t, "tmpfs", "size=8m")), "space", want{Problem, "8192 KiB free of 8192 KiB"})
		look(t, board(faultydisk.Mount(t, "tmpfs", "size=100m")), "space", want{Warning, "100 MiB free"})
		look(t, board(faultydisk.Mount(t, "tmpfs", "size=1g")), "space", want{OK, "1024 MiB free"})
		look(t, board(faultydisk.Mount(t, "tmpfs", "size=1g,nr_inodes=50")), "space", want{OK, ""}, want{Problem, "inodes free"})
	})
	t.Run("flush", func(t *testing.T) {
		c := faultydisk.New(t, 64<<20)
		look(t, board(c.Dir), "flush", want{OK, "20 writes of 4 KiB with fdatasync"})
		c.Set(faultydisk.Flush, faultydisk.Fault{Delay: 120 * time.Millisecond})
		look(t, board(c.Dir), "flush", want{Warning, "the medium is slow"})
		c.Set(faultydisk.Flush, faultydisk.Fault{Delay: 300 * time.Millisecond})
		b := board(c.Dir)
		b.Wait = time.Second
		look(t, b, "flush", want{Problem, "the medium hangs"})
		c.Mend()
		if left, err := filepath.Glob(c.Dir + "/.edgechat*"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	})
}

// TestMountOptions are those that mount(8) writes, in tables that were prepared.
func TestMountOptions(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line string
		want want
	}{
		{"rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw,nobarrier", want{Problem, "barrier=1"}},
		{"rw,noatime - ext4 /dev/mmcblk0p2 rw,barrier=0", want{Problem, "barrier=1"}},
		{"rw,noatime - ext4 /dev/mmcblk0p2 rw", want{Note, "dumpe2fs is not installed"}},
		{"rw - vfat /dev/mmcblk0p1 rw", want{Warning, "no journal"}},
		{"rw - nfs4 nas:/x rw", want{Warning, "another machine"}},
		{"rw - overlay overlay rw,lowerdir=/l,upperdir=/not/seen,workdir=/w", want{Note, "overlayroot"}},
		{"rw - overlay overlay rw,lowerdir=/l,upperdir=/,workdir=/w,volatile", want{Warning, "volatile"}},
		{"rw - btrfs /dev/sda1 rw", want{OK, "btrfs"}},
	} {
		b := tree{"proc/self/mountinfo": "22 1 179:2 / / rw - tmpfs none rw\n36 22 179:2 / " + dir + " " + c.line + "\n"}.board(t)
		b.Data = dir
		look(t, b, "medium", c.want)
	}
	b := tree{"proc/self/mountinfo": "36 22 179:2 / " + dir + " rw - ext4 /dev/root rw\n", "sys/dev/block/179:2": "-> ../../devices/mmcblk0p2",
		"bin/dumpe2fs": `[ "$2" = /dev/mmcblk0p2 ] && echo 'Filesystem features:      ext_attr dir_index'`}.board(t)
	b.Data = dir
	look(t, b, "medium", want{Warning, "has_journal /dev/mmcblk0p2"})
}

// TestPortTaken has this process take a port of this machine.
func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := Board{Ports: []int{l.Addr().(*net.TCPAddr).Port}}
	look(t, b, "port", want{Problem, "process " + strconv.Itoa(os.Getpid()) + " doctor.test"})
}

// TestLowDescriptors asks this machine's kernel for the limit of a process that has a low one: a shell's child.
func TestLowDescriptors(t *testing.T) {
	if os.Getenv("EDGECHAT_DOCTOR_LOW") != "" {
		look(t, Board{}, "descriptors", want{Problem, "may have 100 descriptors open (RLIMIT_NOFILE)"})
		return
	}
	cmd := exec.Command("/bin/sh", "-c", `ulimit -n 100 && exec "$0" -test.run '^TestLowDescriptors$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "EDGECHAT_DOCTOR_LOW=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
