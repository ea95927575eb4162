package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

const (
	descriptorsFew   = 1024 // some 900 clients
	descriptorsLeast = 128  // the server keeps 64 in reserve
	backlogFew       = 1024
)

// descriptors says how many connections the limit lets in: that of the running server, else of one that were started here.
func descriptors(_ context.Context, b *Board) []Finding {
	limit, err := b.Kernel.Descriptors()
	seen := fmt.Sprintf("a server started here may have %d descriptors open (RLIMIT_NOFILE)", limit)
	mend := "ulimit -n 65536 before edgechat serve, or run it as the service, which has LimitNOFILE=65536"
	if server := serverOf(b); server != nil {
		file := fmt.Sprintf("/proc/%d/limits", server.pid)
		var text string
		if text, err = b.text(file); err == nil {
			limit, err = openFiles(text)
			seen = fmt.Sprintf("the running server may have %d descriptors open (%s)", limit, file)
			mend = "sudo systemctl edit edgechat.service, [Service] LimitNOFILE=65536, and sudo systemctl restart edgechat"
		}
	}
	if err != nil {
		return []Finding{unseen("", "%v", err)}
	}
	f := ok("%s", seen)
	switch {
	case limit < descriptorsLeast:
		f.Severity, f.Mend = Problem, mend
		f.Means = "each connection takes one, and the server keeps 64: hardly anybody gets in"
	case limit < descriptorsFew:
		f.Severity, f.Mend = Warning, mend
		f.Means = fmt.Sprintf("each connection takes one, and the server keeps 64: some %d clients fit", limit-64-16)
	}
	return []Finding{f}
}

// openFiles reads the hard limit, to which Go raises the soft one, of proc_pid_limits(5).
func openFiles(limits string) (int64, error) {
	for line := range strings.Lines(limits) {
		// Max open files            1024                 524288               files
		if rest, found := strings.CutPrefix(line, "Max open files"); found {
			if f := strings.Fields(rest); len(f) >= 2 {
				if f[1] == "unlimited" {
					return 1 << 62, nil
				}
				return strconv.ParseInt(f[1], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no line \"Max open files\"")
}

// backlog is how many who connect at once wait in the kernel.
func backlog(_ context.Context, b *Board) []Finding {
	const file = "/proc/sys/net/core/somaxconn"
	n, err := b.number(file)
	if err != nil {
		return []Finding{unseen("sysctl net.core.somaxconn", "%v", err)}
	}
	f := ok("%d may wait to be accepted (%s)", n, file)
	if n < backlogFew {
		f.Severity, f.Means = Warning, "when the board comes back all clients connect at once, and those beyond it wait for seconds"
		f.Mend = "echo net.core.somaxconn=4096 | sudo tee /etc/sysctl.d/50-edgechat.conf && sudo sysctl --system"
	}
	return []Finding{f}
}
