package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

const staUnsync = 0x40 // STA_UNSYNC of adjtimex(2)

// timeError is what adjtimex returns for a clock that nobody keeps (TIME_ERROR).
const timeError = 5

// clock says whether anybody keeps the time, and whether it outlives the power.
func clock(_ context.Context, b *Board) []Finding {
	var f Finding
	switch state, status, err := b.Kernel.Adjtimex(); {
	case err != nil:
		f = unseen("timedatectl", "adjtimex: %v", err)
	case state == timeError || status&staUnsync != 0:
		f = ok("the kernel says that the clock is not synchronised (adjtimex: state %d, status %#x); it is %s now", state, status, time.Now().UTC().Format("2006-01-02 15:04:05 UTC"))
		f.Severity, f.Means = Warning, "messages carry this time until the network has told it the right one; order and history do not depend on it"
		f.Mend = "timedatectl; sudo timedatectl set-ntp true, or without a network: sudo date -s '2026-01-31 12:00'"
	default:
		f = ok("synchronised (adjtimex: status %#x)", status)
	}
	return []Finding{f, rtc(b)}
}

// rtc looks for a clock that goes on without power.
func rtc(b *Board) Finding {
	found, err := filepath.Glob(b.path("/sys/class/rtc/rtc*"))
	if err != nil || len(found) == 0 {
		return Finding{Severity: Note, Seen: "no clock in /sys/class/rtc",
			Means: "the time is lost with the power, until the network tells it",
			Mend:  "only where there is no network: a DS3231 at the GPIO pins, and dtoverlay=i2c-rtc,ds3231 in /boot/firmware/config.txt"}
	}
	var names []string
	for _, dir := range found {
		name, _ := b.text("/sys/class/rtc/" + filepath.Base(dir) + "/name")
		names = append(names, strings.TrimSpace(filepath.Base(dir)+" "+name))
		// The Pi 5 has this file, in microvolts.
		if volts, err := b.number("/sys/class/rtc/" + filepath.Base(dir) + "/battery_voltage"); err == nil && volts < 2_000_000 {
			return Finding{Severity: Note, Seen: fmt.Sprintf("the battery of the clock %s has %.1f V (/sys/class/rtc)", names[0], float64(volts)/1e6),
				Means: "it has no battery, or an empty one: the time is lost with the power",
				Mend:  "the battery for the Pi 5's clock, in its connector"}
		}
	}
	return ok("a clock of its own: %s (/sys/class/rtc)", strings.Join(names, ", "))
}
