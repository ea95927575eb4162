package doctor

import (
	"context"
	"fmt"
	"syscall"
)

// What a server needs: twice its default of 64 MiB for the history, which a checkpoint may take, is
// plenty; below the log of two halves of 4 MiB nothing goes.
const (
	spaceLeast = 16 << 20
	spaceFew   = 256 << 20
	filesFew   = 100
)

// space looks at what is free, for those who are not root.
func space(_ context.Context, b *Board) []Finding {
	return withFolder(b, func(dir string, m *mount) []Finding {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			return []Finding{unseen("", "statfs %s: %v", dir, err)}
		}
		unit := uint64(st.Bsize)
		free, all := st.Bavail*unit, st.Blocks*unit
		f := ok("%s free of %s on %s (statfs)", size(free), size(all), m.at)
		f.Mend = "sudo du -xh " + m.at + " | sort -h | tail, and sudo journalctl --vacuum-size=50M"
		switch {
		case free < spaceLeast:
			f.Severity, f.Means = Problem, "the card is full: new messages are kept in memory alone"
		case free < spaceFew || free < all/50:
			f.Severity, f.Means = Warning, "the card is nearly full: once it is, new messages are kept in memory alone"
		default:
			f.Mend = ""
		}
		out := []Finding{f}
		if st.Files > 0 && st.Ffree < filesFew { // some file systems do not count them
			out = append(out, Finding{Severity: Problem,
				Seen:  fmt.Sprintf("%d of %d inodes free on %s (statfs)", st.Ffree, st.Files, m.at),
				Means: "no more files can be made there, whatever is free",
				Mend:  "sudo du --inodes -x " + m.at + " | sort -n | tail"})
		}
		return out
	})
}

// bytes prints a size with three digits or so.
func size(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
