// Package faultydisk is a card that misbehaves on demand: a device of its own, held
// in memory, with a real file system on it, whose reads, writes and flushes fail, hang or are late as a
// test says, are counted, and are recorded, so that any moment of a run can be
// replayed as a power cut would leave it. It is for tests alone.
//
// The one rule: what a test reads or writes on a card that hangs, hangs too, and a mapping of such a file
// stops the whole process. So the server that is tested is another process, and so is the
// device: this test binary, run again (see init), which a socket controls. It takes everything
// away when that socket closes, also if the test was killed.
//
// Below the file system is a loop device on the one file of a FUSE mount (device.go). A kernel
// without device mapper has that, too. Root and /dev/fuse are needed; New skips a test without them, and says why.
package faultydisk
