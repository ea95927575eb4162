package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Bits of vcgencmd get_throttled: now, and 16 higher, since the board was started.
var throttled = []string{"under-voltage", "frequency capped", "throttled", "soft temperature limit"}

// power asks the firmware of a Raspberry Pi, or the kernel's sensor of it, whether the supply is enough.
func power(ctx context.Context, b *Board) []Finding {
	out, err := b.program(ctx, "vcgencmd", "get_throttled")
	if err != nil {
		return []Finding{powerSensor(b, err)}
	}
	text := strings.TrimSpace(out)
	_, hex, _ := strings.Cut(text, "=")
	bits, err := strconv.ParseUint(hex, 0, 32)
	if err != nil {
		return []Finding{unseen("", "vcgencmd get_throttled answers %q", text)}
	}
	var now, before []string
	for i, name := range throttled {
		if bits&(1<<i) != 0 {
			now = append(now, name)
		} else if bits&(1<<(i+16)) != 0 {
			before = append(before, name)
		}
	}
	seen := "vcgencmd get_throttled says " + hex
	if len(now) > 0 {
		seen += ": now " + strings.Join(now, ", ")
	}
	if len(before) > 0 {
		seen += ": since the start " + strings.Join(before, ", ")
	}
	f := ok("%s", seen)
	low := bits&(1|1<<16) != 0
	switch {
	case bits == 0:
		f.Seen += ": the supply was enough and the board cool since it was started"
	case low:
		f.Severity, f.Means = Warning, "the power supply is too weak: cards are damaged that way, and Wi-Fi and USB fail"
		f.Mend = "the supply made for this board (5.1 V), on a short and thick cable"
		if bits&1 != 0 {
			f.Severity = Problem
		}
	default:
		f.Severity, f.Means = Warning, "it is too hot, and slower for it"
		f.Mend = "a heat sink, air, no sun; vcgencmd measure_temp"
	}
	return []Finding{f}
}

// powerSensor reads the kernel's view of the same bit: the alarm of the hwmon device rpi_volt.
func powerSensor(b *Board, why error) Finding {
	if !errors.Is(why, exec.ErrNotFound) {
		return unseen("sudo edgechat doctor", "%v", why)
	}
	found, _ := filepath.Glob(b.path("/sys/class/hwmon/hwmon*"))
	for _, dir := range found {
		at := "/sys/class/hwmon/" + filepath.Base(dir)
		if name, _ := b.text(at + "/name"); name != "rpi_volt" {
			continue
		}
		alarm, err := b.number(at + "/in0_lcrit_alarm")
		if err != nil {
			return unseen("", "%v", err)
		}
		if alarm == 0 {
			return ok("%s/in0_lcrit_alarm is 0: no under-voltage", at)
		}
		return Finding{Severity: Problem, Seen: fmt.Sprintf("%s/in0_lcrit_alarm is %d: under-voltage", at, alarm),
			Means: "the power supply is too weak: cards are damaged that way, and Wi-Fi and USB fail",
			Mend:  "the supply made for this board (5.1 V), on a short and thick cable"}
	}
	model, err := b.text("/proc/device-tree/model")
	if err == nil && strings.HasPrefix(model, "Raspberry Pi") {
		return unseen("sudo apt install raspi-utils-core, or libraspberrypi-bin on Raspberry Pi OS 12", "%v", why)
	}
	return unseen("", "%v, and /sys/class/hwmon has no rpi_volt: this is not a Raspberry Pi", why)
}

// heat reads the thermal zones and the temperatures at which the kernel slows down or stops.
func heat(_ context.Context, b *Board) []Finding {
	zones, _ := filepath.Glob(b.path("/sys/class/thermal/thermal_zone*"))
	var all []Finding
	for _, dir := range zones {
		at := "/sys/class/thermal/" + filepath.Base(dir)
		milli, err := b.number(at + "/temp")
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				all = append(all, unseen("", "%v", err)) // one that is off answers with an error
			}
			continue
		}
		kind, _ := b.text(at + "/type")
		f := ok("%s: %.0f °C (%s/temp)", kind, float64(milli)/1000, at)
		limit := int64(80_000) // where a Pi begins to slow down
		if trip, ok := lowestTrip(b, at); ok {
			limit = min(limit, trip)
		}
		if milli >= limit {
			f.Severity, f.Means = Warning, fmt.Sprintf("from %d °C on the board slows down", limit/1000)
			f.Mend = "a heat sink, air, no sun"
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return []Finding{unseen("", "/sys/class/thermal has no zone with a temperature")}
	}
	return all
}

// lowestTrip returns the lowest temperature, in thousandths of a degree, at which the kernel does something that hurts.
func lowestTrip(b *Board, zone string) (lowest int64, found bool) {
	kinds, _ := filepath.Glob(b.path(zone + "/trip_point_*_type"))
	for _, file := range kinds {
		kind, err := os.ReadFile(file)
		if k := strings.TrimSpace(string(kind)); err != nil || k != "passive" && k != "hot" && k != "critical" {
			continue // active is a fan
		}
		t, err := b.number(zone + "/" + strings.TrimSuffix(filepath.Base(file), "_type") + "_temp")
		if err == nil && t > 0 && (!found || t < lowest) {
			lowest, found = t, true
		}
	}
	return lowest, found
}
