package systemd

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sendTimeout bounds how long a datagram waits for a manager whose queue is full.
const sendTimeout = time.Second

// A Notifier tells the service manager how the service is. A nil Notifier tells
// nobody. Its methods may be called from any goroutine; each sends one datagram,
// and waits at most a second for a manager that is too busy to take it.
type Notifier struct {
	addr *net.UnixAddr
}

// NewNotifier returns a Notifier for the socket that NOTIFY_SOCKET names, nil if
// nobody wants to be told. An absolute path and, with "@" in front, an abstract
// name are understood; anything else is an error.
func NewNotifier() (*Notifier, error) {
	name := take("NOTIFY_SOCKET")[0]
	switch {
	case name == "":
		return nil, nil
	case !filepath.IsAbs(name) && (name[0] != '@' || len(name) == 1):
		return nil, fmt.Errorf("systemd: NOTIFY_SOCKET is %q: an absolute path, or an abstract name with @ in front, is expected", name)
	}
	return &Notifier{&net.UnixAddr{Name: name, Net: "unixgram"}}, nil // package net knows of the @
}

// Ready says that the start, or a reload, is over, and how the service is.
func (n *Notifier) Ready(status string) error { return n.send("READY=1", statusLine(status)) }

// Status says, in a line for people, how the service is.
func (n *Notifier) Status(status string) error { return n.send(statusLine(status)) }

// Reloading says that a reload begins; Ready ends it. The time has to be in the
// same datagram: a manager that does not find it there waits for the end of another
// reload, which never comes (sd_notify(3)).
func (n *Notifier) Reloading() error {
	return n.send("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(monotonic().Microseconds(), 10))
}

// Stopping says that the service stops.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Alive is what the watchdog waits for.
func (n *Notifier) Alive() error { return n.send("WATCHDOG=1") }

// Extend asks the manager, which waits for a start or a stop, to wait for
// another d from now on, and tells the watchdog that there is life. It never
// shortens what the unit grants.
func (n *Notifier) Extend(d time.Duration) error {
	return n.send("EXTEND_TIMEOUT_USEC="+strconv.FormatInt(d.Microseconds(), 10), "WATCHDOG=1")
}

// statusLine makes one assignment of any text: a newline would begin another.
func statusLine(text string) string {
	return "STATUS=" + strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?")) // systemd drops what is no UTF-8
}

// send sends assignments as one datagram. Each has a socket of its own: there
// is one in many seconds, and a manager that was restarted is found again.
func (n *Notifier) send(assignments ...string) error {
	if n == nil {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, n.addr)
	if err == nil {
		defer c.Close()
		_ = c.SetWriteDeadline(time.Now().Add(sendTimeout))
		_, err = c.Write([]byte(strings.Join(assignments, "\n")))
	}
	if err != nil {
		return fmt.Errorf("systemd: send %s: %w", assignments[0], err)
	}
	return nil
}
