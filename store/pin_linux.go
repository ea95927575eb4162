package store

import (
	"errors"
	"os"
	"slices"
	"syscall"
)

// pin brings these pages of a file to memory and keeps them there until unpin, so that
// bbolt, which reads them through a map, never waits for the card in a page fault: that
// would stop every goroutine (a thread that faults keeps its place in Go's scheduler).
// mlock(2) is a system call, whose wait costs nobody else anything. It locks
// the pages of the file, by whatever map they are looked at.
//
// Beyond RLIMIT_MEMLOCK the pages are read, and not locked: they are likely to stay for the
// milliseconds of a transaction.
func pin(f *os.File, pages map[uint64]int, pageSize int) (unpin func(), err error) {
	none := func() {}
	if len(pages) == 0 {
		return none, nil
	}
	info, err := f.Stat()
	if err != nil {
		return none, err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return none, os.NewSyscallError("mmap", err)
	}
	unpin = func() { _ = syscall.Munmap(m) }
	ids := make([]uint64, 0, len(pages))
	for id := range pages {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i := 0; i < len(ids); {
		from := ids[i]
		to := from
		for ; i < len(ids) && ids[i] <= to; i++ {
			to = max(to, ids[i]+uint64(pages[ids[i]]))
		}
		start, end := from*uint64(pageSize), min(to*uint64(pageSize), uint64(info.Size()))
		if start >= end {
			continue
		}
		if err := lock(m[start:end]); err != nil {
			unpin()
			return none, err
		}
	}
	return unpin, nil
}

const madvPopulateRead = 22 // madvise(2), since Linux 5.14

func lock(b []byte) error {
	err := syscall.Mlock(b)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.EAGAIN) {
		err = syscall.Madvise(b, madvPopulateRead)
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOMEM) {
			return nil // an older kernel, or an emulated one: they were read a moment ago
		} // a page that cannot be read is EFAULT
	}
	return os.NewSyscallError("mlock", err)
}
