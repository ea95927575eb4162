package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// A Listener is a socket that the service manager, or another parent, opened and
// listens on. Closing it leaves the parent's copy as it is: who connects then
// waits in its queue for the next process, and the file of a unix socket stays.
type Listener struct {
	net.Listener
	Name string // FileDescriptorName= of the .socket unit, by default the unit's own name; may be empty
}

// firstDescriptor is SD_LISTEN_FDS_START.
const firstDescriptor = 3

// maxDescriptors bounds what a nonsensical LISTEN_FDS has us look at.
const maxDescriptors = 1024

var (
	errNoSocket   = errors.New("it is no socket")
	errNoStream   = errors.New("it is no stream socket: the .socket unit needs ListenStream=")
	errConnection = errors.New("it is a connection, not a socket that listens: the .socket unit needs Accept=no")
	errFamily     = errors.New("it is neither a TCP nor a unix socket")
)

// Listeners returns the sockets that were handed over, in the order of the .socket unit;
// none if there is no such unit. Listening TCP and unix stream sockets are
// understood; anything else is an error that names the descriptor, and nothing
// stays open then.
func Listeners() (ls []Listener, err error) {
	v := take("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
	pid, fds, names := v[0], v[1], strings.Split(v[2], ":")
	if fds == "" || !isForUs(pid) {
		return nil, nil
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 || n > maxDescriptors {
		return nil, fmt.Errorf("systemd: LISTEN_FDS is %q: a number from 0 to %d is expected", fds, maxDescriptors)
	}
	files := descriptors(n)
	for _, f := range files {
		defer f.Close() // FileListener has a copy of its own
	}
	for i, f := range files {
		l := Listener{}
		if i < len(names) {
			l.Name = names[i]
		}
		if l.Listener, err = listener(f, firstDescriptor+i); err != nil {
			for _, l := range ls {
				l.Close()
			}
			return nil, fmt.Errorf("systemd: descriptor %d (%q) cannot be listened on: %w", firstDescriptor+i, l.Name, err)
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// descriptors takes all n at once, also those behind one that is wrong: nothing that
// is started from here on gets them.
func descriptors(n int) []*os.File {
	files := make([]*os.File, n)
	for i := range files {
		closeOnExec(firstDescriptor + i)
		files[i] = os.NewFile(uintptr(firstDescriptor+i), "")
	}
	return files
}

func listener(f *os.File, fd int) (net.Listener, error) {
	if err := check(fd); err != nil {
		return nil, err
	}
	return net.FileListener(f)
}
