package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// wifi looks at the radios: whether one is an access point, which holds few clients with the firmware of a Pi,
// and whether it sleeps.
func wifi(ctx context.Context, b *Board) []Finding {
	radios, _ := filepath.Glob(b.path("/sys/class/net/*/phy80211"))
	if len(radios) == 0 {
		return []Finding{ok("no Wi-Fi in /sys/class/net")}
	}
	var all []Finding
	for _, dir := range radios {
		all = append(all, radio(ctx, b, filepath.Base(filepath.Dir(dir)))...)
	}
	return all
}

func radio(ctx context.Context, b *Board, name string) []Finding {
	driver := "unknown"
	if to, err := os.Readlink(b.path("/sys/class/net/" + name + "/device/driver")); err == nil {
		driver = filepath.Base(to)
	}
	info, err := b.program(ctx, "iw", "dev", name, "info")
	if err != nil {
		return []Finding{{Severity: Note, Seen: fmt.Sprintf("%s is Wi-Fi (driver %s)", name, driver),
			Unseen: "whether it is an access point, and whether it sleeps: " + err.Error(), Mend: "sudo apt install iw"}}
	}
	ap := false
	for line := range strings.Lines(info) {
		f := strings.Fields(line)
		ap = ap || len(f) == 2 && f[0] == "type" && f[1] == "AP"
	}
	var all []Finding
	if ap {
		all = append(all, accessPoint(ctx, b, name, driver))
	} else {
		all = append(all, ok("%s is no access point (iw dev %[1]s info; driver %s)", name, driver))
	}
	out, err := b.program(ctx, "iw", "dev", name, "get", "power_save")
	switch {
	case err != nil:
		all = append(all, unseen("", "power save: %v", err))
	case strings.Contains(out, "Power save: on"):
		all = append(all, Finding{Severity: Warning, Seen: fmt.Sprintf("%s: Power save: on (iw dev %[1]s get power_save)", name),
			Means: "the radio sleeps between beacons: messages to the board come some 100 ms late, and some drop out",
			Mend:  fmt.Sprintf("sudo iw dev %s set power_save off; for good: sudo nmcli connection modify NAME 802-11-wireless.powersave 2", name)})
	default:
		all = append(all, ok("%s: %s (iw dev %[1]s get power_save)", name, strings.TrimSpace(out)))
	}
	return all
}

// stationsOfBrcm is how many phones a Pi's radio has been seen to hold with the stock firmware: 7 to 10.
const stationsOfBrcm = 7

func accessPoint(ctx context.Context, b *Board, name, driver string) Finding {
	out, err := b.program(ctx, "iw", "dev", name, "station", "dump")
	if err != nil {
		return unseen("", "how many stations there are: %v", err)
	}
	stations := strings.Count("\n"+out, "\nStation ")
	f := ok("%s is an access point with %d stations (iw dev %[1]s station dump; driver %[3]s)", name, stations, driver)
	if driver != "brcmfmac" {
		return f
	}
	f.Severity, f.Means = Note, "with its stock firmware this radio holds 7 to 10 stations, whatever the server could"
	f.Mend = "for more: the firmware \"minimal\" (sudo update-alternatives --config cyfmac43455-sdio.bin on a Pi 3B+, 4 or 5), or an access point of its own at the cable"
	if stations >= stationsOfBrcm {
		f.Severity = Warning
	}
	return f
}
