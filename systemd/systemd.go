// Package systemd speaks to the service manager: it says how the service is
// (sd_notify(3), sd_watchdog_enabled(3)) and takes over the sockets that the
// manager opened for it (sd_listen_fds(3)).
//
// The one rule for callers: [NewNotifier], [Watchdog] and [Listeners] take what
// they find out of the environment, so that nothing this process starts believes
// that it was meant. Call each once, early, from one goroutine.
//
// Without a service manager all of it does nothing and costs nothing.
package systemd

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// take returns environment variables and unsets them.
func take(names ...string) (values []string) {
	for _, name := range names {
		values = append(values, os.Getenv(name))
		_ = os.Unsetenv(name) // fails for a name with "=" alone
	}
	return values
}

// isForUs reports whether a variable that names the process which is meant names
// this one; children of that process may have inherited it.
func isForUs(pid string) bool { return pid == strconv.Itoa(os.Getpid()) }

// Watchdog returns the time within which the manager wants to hear
// [Notifier.Alive] again, from WATCHDOG_USEC; 0 if it does not watch this
// process. Half of it is a good interval (sd_watchdog_enabled(3)).
func Watchdog() (time.Duration, error) {
	v := take("WATCHDOG_USEC", "WATCHDOG_PID")
	usec, pid := v[0], v[1]
	if usec == "" || pid != "" && !isForUs(pid) {
		return 0, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(maxDuration/time.Microsecond) {
		return 0, fmt.Errorf("systemd: WATCHDOG_USEC is %q: a number of microseconds above 0 is expected", usec)
	}
	return time.Duration(n) * time.Microsecond, nil
}

const maxDuration = time.Duration(1<<63 - 1)
