package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	flushes   = 20
	flushSlow = 100 * time.Millisecond // of the median: someone who waits for an ack notices
	flushHang = time.Second            // of the worst
)

// flush writes 4 KiB and waits for the medium, as a commit does, twenty times.
func flush(ctx context.Context, b *Board) []Finding {
	return withFolder(b, func(dir string, m *mount) []Finding {
		// On a medium that hangs a write cannot be ended: its goroutine is left behind, and the process ends soon.
		type result struct {
			took []time.Duration
			err  error
		}
		ctx, cancel := context.WithTimeout(ctx, b.Wait)
		defer cancel()
		progress := make(chan time.Duration, flushes)
		done := make(chan result, 1)
		go func() {
			took, err := measure(ctx, dir, progress)
			done <- result{took, err}
		}()
		var r result
		select {
		case r = <-done:
		case <-ctx.Done():
			select {
			case r = <-done:
			case <-time.After(b.Wait / 10): // one that is merely slow says how many it made
				for len(progress) > 0 {
					r.took = append(r.took, <-progress)
				}
			}
		}
		if r.err != nil {
			f := unseen("sudo -u edgechat edgechat doctor --data "+b.Data, "%v", r.err)
			if !errors.Is(r.err, fs.ErrPermission) {
				f.Severity, f.Seen, f.Unseen = Problem, r.err.Error(), ""
				f.Means, f.Mend = "nothing can be written there: new messages are kept in memory alone", "sudo dmesg | tail"
			}
			return []Finding{f}
		}
		mend := "a better card (class A1 or A2) or a disk, or fewer who ask for acks; is something else writing? sudo iotop -o"
		if len(r.took) < flushes {
			return []Finding{{Severity: Problem,
				Seen:  fmt.Sprintf("%d of %d writes of 4 KiB with fdatasync in %s ended within %s", len(r.took), flushes, dir, b.Wait),
				Means: "the medium hangs: acks come late or say that a message is not durable", Mend: mend}}
		}
		slices.Sort(r.took)
		median, worst := r.took[flushes/2], r.took[flushes-1]
		f := ok("%d writes of 4 KiB with fdatasync in %s: median %s, worst %s", flushes, dir, round(median), round(worst))
		switch {
		case median > flushSlow:
			f.Severity, f.Mend = Warning, mend
			f.Means = "the medium is slow: each ack waits for it"
		case worst > flushHang:
			f.Severity, f.Mend = Note, mend
			f.Means = "the medium pauses now and then: some acks come that late"
		}
		return []Finding{f}
	})
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// measure flushes a file of its own in dir until ctx ends.
func measure(ctx context.Context, dir string, progress chan<- time.Duration) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".edgechat-doctor-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := os.Remove(f.Name()); err != nil { // at once: nothing is left behind whatever happens
		return nil, err
	}
	page := make([]byte, 4096)
	for i := range flushes {
		if ctx.Err() != nil {
			return took, nil
		}
		begin := time.Now()
		if _, err := f.WriteAt(page, int64(i*len(page))); err != nil {
			return took, err
		}
		if err := fdatasync(f); err != nil {
			return took, err
		}
		took = append(took, time.Since(begin))
		progress <- time.Since(begin)
	}
	return took, nil
}

func fdatasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			if err != nil {
				err = &fs.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
			}
			return err
		}
	}
}
