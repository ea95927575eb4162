package faultydisk

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Stats is what a device did since it was made, mkfs included.
type Stats struct {
	Written int64 // bytes
	Writes  int64
	Read    int64 // bytes
	Reads   int64
	Flushes int64
	Hanging int // operations that hang now
}

// Sub returns what s is more than before.
func (s Stats) Sub(before Stats) Stats {
	return Stats{
		s.Written - before.Written, s.Writes - before.Writes, s.Read - before.Read, s.Reads - before.Reads,
		s.Flushes - before.Flushes, s.Hanging - before.Hanging,
	}
}

// A device is the bytes of a card, and a FUSE node of their file.
type device struct {
	fs.Inode
	faults *faults

	mu     sync.Mutex
	bytes  []byte
	stats  Stats
	record *Record // nil while nothing is recorded
}

// A folder is the root of the FUSE mount.
type folder struct {
	fs.Inode
	device *device
}

const imageName = "card.img"

// OnAdd puts the one file into the folder.
func (f *folder) OnAdd(ctx context.Context) {
	f.AddChild(imageName, f.NewPersistentInode(ctx, f.device, fs.StableAttr{Mode: syscall.S_IFREG, Ino: 2}), false)
}

// mountDevice serves d as a file in dir until the mount is taken away.
func mountDevice(dir string, d *device) (*fuse.Server, error) {
	long := time.Hour
	return fs.Mount(dir, &folder{device: d}, &fs.Options{AttrTimeout: &long, EntryTimeout: &long, MountOptions: fuse.MountOptions{
		MaxWrite: 1 << 20, DirectMount: true, FsName: "faultydisk", Name: "faultydisk",
	}})
}

// Getattr and Setattr say that the size is what it is.
func (d *device) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = syscall.S_IFREG | 0o600
	out.Size = uint64(len(d.bytes))
	out.Blocks = out.Size / Sector
	return 0
}

// Setattr is Getattr.
func (d *device) Setattr(ctx context.Context, h fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return d.Getattr(ctx, h, out)
}

// Open has the kernel keep no pages of the file itself, so that what the file system above reads
// is read from the device.
func (d *device) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return d, fuse.FOPEN_DIRECT_IO, 0
}

func (d *device) Read(_ context.Context, _ fs.FileHandle, dest []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	if errno := d.faults.befall(Read, at, at+int64(len(dest))); errno != 0 {
		return nil, errno
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := copy(dest, d.bytes[min(at, int64(len(d.bytes))):])
	d.stats.Reads++
	d.stats.Read += int64(n)
	return fuse.ReadResultData(dest[:n]), 0
}

func (d *device) Write(_ context.Context, _ fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	if errno := d.faults.befall(Write, at, at+int64(len(data))); errno != 0 {
		return 0, errno
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if at+int64(len(data)) > int64(len(d.bytes)) {
		return 0, syscall.ENOSPC
	}
	copy(d.bytes[at:], data)
	d.stats.Writes++
	d.stats.Written += int64(len(data))
	d.note(Step{Kind: Wrote, At: at, Data: data})
	return uint32(len(data)), 0
}

// Fsync is a flush of the device: the loop device makes one of each.
func (d *device) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	if errno := d.faults.befall(Flush, 0, 0); errno != 0 {
		return errno
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Flushes++
	d.note(Step{Kind: Flushed})
	return 0
}

// Allocate has fallocate refused, which the loop device asks for to discard.
func (d *device) Allocate(context.Context, fs.FileHandle, uint64, uint64, uint32) syscall.Errno {
	return syscall.EOPNOTSUPP
}

// note adds a step to the record. The caller holds d.mu.
func (d *device) note(s Step) {
	if d.record != nil {
		s.Data = slices.Clone(s.Data)
		d.record.Steps = append(d.record.Steps, s)
	}
}

// beginRecord forgets what was recorded, and records from now on.
func (d *device) beginRecord() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record = &Record{Size: int64(len(d.bytes)), Base: map[int64][]byte{}}
	zero := make([]byte, block)
	for at := 0; at < len(d.bytes); at += block {
		if b := d.bytes[at:min(at+block, len(d.bytes))]; string(b) != string(zero[:len(b)]) {
			d.record.Base[int64(at)] = slices.Clone(b)
		}
	}
}

// endRecord returns what was recorded, nil if nothing was asked for.
func (d *device) endRecord() *Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.record
	d.record = nil
	return r
}
