package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A listener is a TCP socket that accepts, and who has it open.
type listener struct {
	port    int
	inode   string
	where   string // the file of /proc that has it
	holders []process
	hidden  int // processes whose descriptors could not be looked at
}

type process struct {
	pid  int
	name string
}

func (p process) String() string { return fmt.Sprintf("process %d %s", p.pid, p.name) }

// listeners reads the sockets that listen on a port (proc(5), /proc/net/tcp).
func listeners(b *Board, port int) ([]listener, error) {
	var found []listener
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := b.text(file)
		if errors.Is(err, fs.ErrNotExist) && file == "/proc/net/tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			//   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 ...
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" { // listening
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
				found = append(found, listener{port: port, inode: f[9], where: file})
			}
		}
	}
	if len(found) > 0 {
		holders(b, found)
	}
	return found, nil
}

// holders finds who has the sockets open; others' processes are visible to root alone.
func holders(b *Board, ls []listener) {
	processes, _ := filepath.Glob(b.path("/proc/[0-9]*"))
	for _, dir := range processes {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		open, err := os.ReadDir(dir + "/fd")
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				for i := range ls {
					ls[i].hidden++
				}
			}
			continue // gone meanwhile
		}
		for _, fd := range open {
			to, err := os.Readlink(dir + "/fd/" + fd.Name())
			if err != nil {
				continue
			}
			for i := range ls {
				if to == "socket:["+ls[i].inode+"]" && (len(ls[i].holders) == 0 || ls[i].holders[len(ls[i].holders)-1].pid != pid) {
					name, _ := b.text(fmt.Sprintf("/proc/%d/comm", pid))
					ls[i].holders = append(ls[i].holders, process{pid, name})
				}
			}
		}
	}
}

// serverOf returns the server that listens on one of the ports, or nil.
func serverOf(b *Board) *process {
	for _, p := range b.Ports {
		ls, _ := listeners(b, p)
		for _, l := range ls {
			for _, h := range l.holders {
				if h.name == "edgechat" {
					return &h
				}
			}
		}
	}
	return nil
}

// port says who has the ports that the server is to listen on.
func port(_ context.Context, b *Board) []Finding {
	if len(b.Ports) == 0 {
		return []Finding{unseen("edgechat doctor --listen :3000", "no TCP port is named")}
	}
	var all []Finding
	for _, p := range b.Ports {
		all = append(all, portFinding(b, p))
	}
	return all
}

func portFinding(b *Board, p int) Finding {
	ls, err := listeners(b, p)
	if err != nil {
		return unseen("", "%v", err)
	}
	if len(ls) == 0 {
		return ok("nobody listens on port %d (/proc/net/tcp, tcp6)", p)
	}
	var names []string
	ours, systemd, hidden := false, false, 0
	for _, l := range ls {
		for _, h := range l.holders {
			names = append(names, h.String())
			ours = ours || h.name == "edgechat"
			systemd = systemd || h.pid == 1
		}
		if len(l.holders) == 0 {
			hidden = max(hidden, l.hidden)
		}
	}
	seen := fmt.Sprintf("port %d: inode %s of %s", p, ls[0].inode, ls[0].where)
	who := strings.Join(names, ", ")
	switch {
	case ours:
		return ok("%s listens, %s", seen, who)
	case systemd && len(names) == 1:
		return Finding{Severity: Note, Seen: seen + " listens, " + who,
			Means: "a socket unit holds the port; if that is edgechat.socket all is well",
			Mend:  fmt.Sprintf("systemctl list-sockets | grep :%d", p)}
	case who == "" && hidden > 0:
		f := unseen("sudo edgechat doctor", "whose it is: the descriptors of %d processes are visible to root alone", hidden)
		f.Seen = seen + " listens"
		return f
	}
	if who == "" {
		who = "no process has it open that is seen here"
	}
	return Finding{Severity: Problem, Seen: seen + " listens, " + who,
		Means: "another has the port: the server does not start",
		Mend:  fmt.Sprintf("sudo ss -ltnp 'sport = :%d' shows whose it is; or take another: edgechat serve --listen :%d", p, p%65535+1)}
}
