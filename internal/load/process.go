package load

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What keeps the server from being measured.
var (
	errNotLocal = errors.New("not local: the server runs on another machine")
	errNoProc   = errors.New("not readable: this system has no /proc")
	errNotFound = errors.New("not readable: no process that may be looked at holds the listening socket; run this as the server's user, or name it with --pid")
)

// A process is one that /proc shows (proc(5)).
type process struct {
	pid  int
	name string
}

// serverProcess finds who listens on addr, or takes pid if it is not 0.
func serverProcess(addr net.Addr, pid int) (*process, error) {
	if pid != 0 {
		return openProcess(pid)
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !isLocal(tcp.IP) {
		return nil, errNotLocal
	}
	inodes, err := listeners(tcp.AddrPort())
	if err != nil {
		return nil, err
	}
	if pid = processWith(inodes); pid == 0 {
		return nil, errNotFound
	}
	return openProcess(pid)
}

func openProcess(pid int) (*process, error) {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		if _, e := os.Stat("/proc/self/comm"); e != nil {
			return nil, errNoProc
		}
		return nil, fmt.Errorf("not readable: there is no process %d here", pid)
	}
	return &process{pid, strings.TrimSpace(string(name))}, nil
}

func isLocal(ip net.IP) bool {
	if ip.IsLoopback() {
		return true
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return false
}

// listeners returns the inodes of the sockets that listen on addr, those on this very
// address rather than those on all.
func listeners(addr netip.AddrPort) (inodes []string, err error) {
	want := addr.Addr().Unmap()
	var exact, wild []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, e := os.ReadFile(table)
		if e != nil {
			err = e
			continue
		}
		for line := range bytes.Lines(text) {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
			f := strings.Fields(string(line))
			const listening = "0A"
			if len(f) < 10 || f[3] != listening {
				continue
			}
			local, ok := procAddr(f[1])
			switch {
			case !ok || local.Port() != addr.Port():
			case local.Addr().Unmap() == want:
				exact = append(exact, f[9])
			case local.Addr().IsUnspecified():
				wild = append(wild, f[9])
			}
		}
	}
	switch {
	case len(exact) > 0:
		return exact, nil
	case len(wild) > 0:
		return wild, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoProc
	}
	return nil, errNotFound
}

// procAddr reads "0100007F:0BB8": each 32 bits of the address as a number in
// the machine's order, and the port.
func procAddr(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	n, perr := strconv.ParseUint(port, 16, 16)
	if err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip, uint16(n)), ok
}

// processWith returns the process that has one of these sockets open. With socket
// activation systemd, process 1, keeps it open beside the server.
func processWith(inodes []string) (pid int) {
	links := map[string]bool{}
	for _, n := range inodes {
		links["socket:["+n+"]"] = true
	}
	names, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, dir := range names {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // another user's
		}
		for _, fd := range fds {
			if link, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && links[link] {
				if n != 1 {
					return n
				}
				pid = n
			}
		}
	}
	return pid
}

// rss returns the resident memory in bytes, and the most that it ever was.
func (p *process) rss() (now, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch key {
		case "VmRSS":
			now = n << 10
		case "VmHWM":
			peak = n << 10
		}
	}
	return now, peak, err
}

// cpu returns the processor time that all threads took, in steps of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; utime and stime are the fields
	// 14 and 15, the 12th and 13th behind it, in ticks of 1/100 s (USER_HZ).
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", p.pid, len(f))
	}
	utime, err1 := strconv.ParseInt(f[11], 10, 64)
	stime, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(utime+stime) * 10 * time.Millisecond, errors.Join(err1, err2)
}
