package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// avahi says whether the board is found as NAME.local.
func avahi(_ context.Context, b *Board) []Finding {
	installed := ""
	for _, dir := range filepath.SplitList(b.Path) {
		if info, err := os.Stat(filepath.Join(dir, "avahi-daemon")); err == nil && !info.IsDir() {
			installed = filepath.Join(dir, "avahi-daemon")
			break
		}
	}
	if installed == "" {
		return []Finding{{Severity: Note, Seen: "no avahi-daemon in " + b.Path,
			Means: "the board has no name that ends in .local: people need its address (hostname -I)",
			Mend:  "sudo apt install avahi-daemon"}}
	}
	pid, err := b.text("/run/avahi-daemon/pid")
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return []Finding{{Severity: Warning, Seen: installed + " is there, /run/avahi-daemon/pid is not",
				Means: "it does not run: the name that ends in .local does not work",
				Mend:  "sudo systemctl enable --now avahi-daemon"}}
		}
		return []Finding{unseen("", "%v", err)}
	}
	if pid == "" || strings.Trim(pid, "0123456789") != "" {
		return []Finding{unseen("systemctl status avahi-daemon", "/run/avahi-daemon/pid holds %q", pid)}
	}
	raw, err := b.text("/proc/" + pid + "/cmdline")
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{{Severity: Warning, Seen: fmt.Sprintf("/run/avahi-daemon/pid names process %s, which is not there", pid),
			Means: "it does not run any more: the name that ends in .local does not work",
			Mend:  "sudo systemctl restart avahi-daemon"}}
	} else if err != nil {
		return []Finding{unseen("sudo edgechat doctor", "%v", err)}
	}
	title := strings.Trim(strings.ReplaceAll(raw, "\x00", " "), " ")
	host, err := b.text("/proc/sys/kernel/hostname")
	if err != nil {
		return []Finding{unseen("", "%v", err)}
	}
	// It writes its name there: avahi-daemon: running [raspberrypi-2.local]
	_, name, found := strings.Cut(title, "running [")
	name, _, closed := strings.Cut(name, "]")
	if !found || !closed {
		return []Finding{unseen("", "under which name: process %s calls itself %q", pid, title)}
	}
	own := strings.TrimSuffix(name, ".local")
	short, _, _ := strings.Cut(host, ".")
	f := ok("process %s: %s, and the host's name is %s", pid, title, host)
	if strings.HasPrefix(strings.ToLower(own), strings.ToLower(short)+"-") {
		f.Severity, f.Means = Warning, fmt.Sprintf("another machine in the network is called %s.local: this one took %s", short, name)
		f.Mend = "sudo raspi-config nonint do_hostname ANOTHER && sudo reboot"
		return []Finding{f}
	}
	if _, err := os.Stat(b.path("/etc/avahi/services/edgechat.service")); errors.Is(err, fs.ErrNotExist) {
		f.Severity, f.Seen = Note, f.Seen+"; no /etc/avahi/services/edgechat.service"
		f.Means, f.Mend = "the server is not announced in the network; its name works", "sudo make install, or the package, brings that file"
	}
	return []Finding{f}
}
