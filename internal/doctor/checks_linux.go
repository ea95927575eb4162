package doctor

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

func checks() []check {
	return []check{
		{"medium", medium},
		{"space", space},
		{"flush", flush},
		{"clock", clock},
		{"power", power},
		{"heat", heat},
		{"memory", memory},
		{"descriptors", descriptors},
		{"backlog", backlog},
		{"port", port},
		{"certificate", certificate},
		{"firewall", firewall},
		{"wifi", wifi},
		{"avahi", avahi},
	}
}

func (k Kernel) orDefault() Kernel {
	if k.Adjtimex == nil {
		k.Adjtimex = func() (int, int, error) {
			var t syscall.Timex
			state, err := syscall.Adjtimex(&t)
			return state, int(t.Status), err
		}
	}
	if k.Descriptors == nil {
		k.Descriptors = func() (int64, error) {
			var r syscall.Rlimit
			err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r)
			return int64(r.Max), err // Go raises the soft limit to it
		}
	}
	return k
}

// text returns the content of a file of the system without the white space around it.
func (b *Board) text(name string) (string, error) {
	raw, err := os.ReadFile(b.path(name))
	return strings.TrimSpace(string(raw)), err
}

// number returns the content of a file that holds a whole number.
func (b *Board) number(name string) (int64, error) {
	text, err := b.text(name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}
