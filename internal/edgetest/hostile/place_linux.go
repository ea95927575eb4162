package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A place is where a process runs, so that what is measured is what the server does and not what else this machine
// does. A server has the first processor and all others the last: as in the world, where they are other
// machines. nice is that of setpriority(2), as far as the caller may ask for it.
type place struct {
	last bool
	all  bool // it may use each
	nice int
}

// Those who are measured come first with the server, then a crowd that takes what it is sent, then floods.
var (
	serverPlace = place{nice: -20}
	quietPlace  = place{last: true, nice: -20}
	crowdPlace  = place{last: true, nice: -10}
	floodPlace  = place{last: true}
	mobPlace    = place{all: true, nice: 19}
	// A server that has to do with a mob has what processors there are, as it is shipped.
	besetPlace = place{all: true, nice: -20}
)

// start starts cmd there, to end with this process at the latest. A child inherits its place from the thread that starts it.
func start(cmd *exec.Cmd, p place) error {
	// Where the kernel groups processes by session it is a group that is nice (sched(7), autogroup).
	// Such a session is not interrupted with the tests, and no cleanup runs where these are killed or panic.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: p.nice != 0, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for i := range 8 * len(all) * 8 {
		if all.IsSet(i) && (p.all || p.last || one.Count() == 0) {
			if !p.all {
				one.Zero()
			}
			one.Set(i)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	err := cmd.Start()
	if back := unix.SchedSetaffinity(0, &all); back != nil {
		panic(back) // this thread is of no use any more
	}
	if err == nil && p.nice != 0 {
		_ = unix.Setpriority(unix.PRIO_PGRP, cmd.Process.Pid, p.nice)
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", cmd.Process.Pid), []byte(strconv.Itoa(p.nice)), 0)
	}
	return err
}
