package doctor

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A tree is a prepared board: files below a root, links ("-> target"), programs that answer what they are told to.
type tree map[string]string

// board makes it. A name below bin/ becomes a program: a shell script.
func (tr tree) board(t *testing.T) Board {
	t.Helper()
	root := t.TempDir()
	for name, content := range tr {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, found := strings.CutPrefix(content, "-> "); found {
			if err := os.Symlink(target, file); err != nil {
				t.Fatal(err)
			}
			continue
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") {
			mode, content = 0o755, "#!/bin/sh\n"+content+"\n"
		}
		if err := os.WriteFile(file, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	return Board{Root: root, Path: filepath.Join(root, "bin"), Ports: []int{3000},
		Kernel: Kernel{
			Adjtimex:    func() (int, int, error) { return 0, 0x2001, nil },
			Descriptors: func() (int64, error) { return 524288, nil },
		}}
}

// A want is what a check has to say of a tree.
type want struct {
	severity Severity
	text     string // in what was seen, why not, or what mends it
}

// look runs Examine on a board and compares what one check found, in order.
func look(t *testing.T, b Board, check string, wants ...want) {
	t.Helper()
	var found []Finding
	for _, f := range Examine(t.Context(), b) {
		checkFinding(t, f)
		if f.Check == check {
			found = append(found, f)
		}
	}
	ok := len(found) == len(wants)
	for i := range min(len(found), len(wants)) {
		f := found[i]
		ok = ok && f.Severity == wants[i].severity && strings.Contains(f.Seen+"|"+f.Unseen+"|"+f.Means+"|"+f.Mend, wants[i].text)
	}
	if !ok {
		t.Errorf("%s found\n%+v\nnot\n%+v", check, found, wants)
	}
}

const (
	hostFile  = "proc/sys/kernel/hostname"
	avahiPid  = "run/avahi-daemon/pid"
	zone      = "sys/class/thermal/thermal_zone0/"
	unit      = "sys/fs/cgroup/system.slice/edgechat.service/"
	onCgroup  = "sys/fs/cgroup/cgroup.controllers"
	wlan      = "sys/class/net/wlan0/"
	somaxconn = "proc/sys/net/core/somaxconn"
	memoryOf  = "proc/meminfo"
)

// TestTrees has each check look at boards that were prepared.
func TestTrees(t *testing.T) {
	t.Parallel()
	brcm := tree{wlan + "phy80211/name": "phy0", wlan + "device/driver": "-> ../../bus/brcmfmac"}
	with := func(base, more tree) tree {
		all := tree{}
		maps.Copy(all, base)
		maps.Copy(all, more)
		return all
	}
	iw := func(kind, sleep string, stations int) string {
		return `case "$3" in info) printf 'Interface wlan0\n\ttype ` + kind + `\n' ;; get) echo 'Power save: ` + sleep + `' ;;` +
			` station) printf '%s' '` + strings.Repeat("Station dc:a6:32:00:00:01 (on wlan0)\n\tinactive time: 1 ms\n", stations) + `' ;; esac`
	}
	for _, c := range []struct {
		name, check string
		tree        tree
		wants       []want
	}{
		{"no firmware", "power", tree{}, []want{{Note, "not a Raspberry Pi"}}},
		{"a Pi without vcgencmd", "power", tree{"proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\x00"}, []want{{Note, "sudo apt install raspi-utils-core"}}},
		{"well", "power", tree{"bin/vcgencmd": "echo throttled=0x0"}, []want{{OK, "0x0"}}},
		{"low now", "power", tree{"bin/vcgencmd": "echo throttled=0x50005"}, []want{{Problem, "now under-voltage, throttled"}}},
		{"low once", "power", tree{"bin/vcgencmd": "echo throttled=0x50000"}, []want{{Warning, "since the start under-voltage, throttled"}}},
		{"hot", "power", tree{"bin/vcgencmd": "echo throttled=0x80008"}, []want{{Warning, "heat sink"}}},
		{"not allowed", "power", tree{"bin/vcgencmd": "echo 'VCHI initialization failed' >&2; exit 255"}, []want{{Note, "VCHI initialization failed"}}},
		{"nonsense", "power", tree{"bin/vcgencmd": "echo error=1 error_msg"}, []want{{Note, "error_msg"}}},
		{"sensor well", "power", tree{"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n"}, []want{{OK, "no under-voltage"}}},
		{"sensor low", "power", tree{"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"}, []want{{Problem, "in0_lcrit_alarm is 1"}}},

		{"none", "heat", tree{}, []want{{Note, "no zone"}}},
		{"cool", "heat", tree{zone + "type": "cpu-thermal", zone + "temp": "48312"}, []want{{OK, "48 °C"}}},
		{"hot", "heat", tree{zone + "type": "cpu-thermal", zone + "temp": "81000"}, []want{{Warning, "80 °C"}}},
		{"above a trip", "heat", tree{zone + "type": "cpu-thermal", zone + "temp": "71000", zone + "trip_point_0_type": "active", zone + "trip_point_0_temp": "50000",
			zone + "trip_point_1_type": "passive", zone + "trip_point_1_temp": "70000"}, []want{{Warning, "70 °C"}}},

		{"a clock", "clock", tree{"sys/class/rtc/rtc0/name": "rtc-ds1307 1-0068"}, []want{{OK, "synchronised"}, {OK, "rtc0 rtc-ds1307"}}},
		{"no clock", "clock", tree{}, []want{{OK, "synchronised"}, {Note, "lost with the power"}}},
		{"a Pi 5 without battery", "clock", tree{"sys/class/rtc/rtc0/name": "rpi-rtc", "sys/class/rtc/rtc0/battery_voltage": "1234567"}, []want{{OK, ""}, {Note, "1.2 V"}}},

		{"little", "memory", tree{memoryOf: "MemTotal: 433000 kB\nMemAvailable: 20000 kB\n", onCgroup: "cpu pids"}, []want{{Warning, "19 MiB of 422 MiB"}, {Note, "cgroup_enable=memory"}}},
		{"off by the kernel's line", "memory", tree{memoryOf: "MemTotal: 433000 kB\nMemAvailable: 200000 kB\n", onCgroup: "cpu pids", "proc/cmdline": "quiet cgroup_disable=memory"}, []want{{OK, "195 MiB"}, {Note, "/proc/cmdline has cgroup_disable=memory"}}},
		{"no limit", "memory", tree{onCgroup: "cpu memory", unit + "memory.max": "max"}, []want{{Note, "meminfo"}, {OK, "no limit"}}},
		{"a limit", "memory", tree{onCgroup: "cpu memory", unit + "memory.max": "268435456", unit + "memory.current": "33554432"}, []want{{Note, ""}, {OK, "256 MiB"}}},
		{"killed", "memory", tree{onCgroup: "cpu memory", unit + "memory.max": "268435456", unit + "memory.events": "max 12\noom_kill 2\n"}, []want{{Note, ""}, {Warning, "oom_kill 2"}}},
		{"too low", "memory", tree{onCgroup: "cpu memory", unit + "memory.max": "33554432"}, []want{{Note, ""}, {Warning, "32 MiB"}}},

		{"hidden", "backlog", tree{}, []want{{Note, "somaxconn"}}},
		{"well", "backlog", tree{somaxconn: "4096\n"}, []want{{OK, "4096"}}},
		{"old", "backlog", tree{somaxconn: "128\n"}, []want{{Warning, "net.core.somaxconn=4096"}}},

		{"none", "wifi", tree{}, []want{{OK, "no Wi-Fi"}}},
		{"without iw", "wifi", brcm, []want{{Note, "sudo apt install iw"}}},
		{"client that sleeps", "wifi", with(brcm, tree{"bin/iw": iw("managed", "on", 0)}), []want{{OK, "no access point"}, {Warning, "Power save: on"}}},
		{"access point", "wifi", with(brcm, tree{"bin/iw": iw("AP", "off", 3)}), []want{{Note, "with 3 stations (iw dev wlan0 station dump; driver brcmfmac)"}, {OK, "Power save: off"}}},
		{"full access point", "wifi", with(brcm, tree{"bin/iw": iw("AP", "off", 8)}), []want{{Warning, "7 to 10"}, {OK, "off"}}},
		{"another radio", "wifi", tree{wlan + "phy80211/name": "phy0", wlan + "device/driver": "-> ../mt76", "bin/iw": iw("AP", "off", 30)}, []want{{OK, "30 stations"}, {OK, "off"}}},
		{"iw fails", "wifi", with(brcm, tree{"bin/iw": `case "$3" in info) printf '\ttype AP\n' ;; *) echo 'command failed: Operation not permitted (-1)' >&2; exit 255 ;; esac`}),
			[]want{{Note, "Operation not permitted"}, {Note, "Operation not permitted"}}},

		{"none", "avahi", tree{}, []want{{Note, "sudo apt install avahi-daemon"}}},
		{"stopped", "avahi", tree{"bin/avahi-daemon": ""}, []want{{Warning, "enable --now"}}},
		{"dead", "avahi", tree{"bin/avahi-daemon": "", avahiPid: "412\n", hostFile: "den"}, []want{{Warning, "process 412"}}},
		{"well", "avahi", tree{"bin/avahi-daemon": "", avahiPid: "412\n", hostFile: "den\n", "proc/412/cmdline": "avahi-daemon: running [den.local]\x00", "etc/avahi/services/edgechat.service": ""}, []want{{OK, "den.local"}}},
		{"not announced", "avahi", tree{"bin/avahi-daemon": "", avahiPid: "412\n", hostFile: "den\n", "proc/412/cmdline": "avahi-daemon: running [den.local]\x00"}, []want{{Note, "not announced"}}},
		{"taken", "avahi", tree{"bin/avahi-daemon": "", avahiPid: "412\n", hostFile: "den\n", "proc/412/cmdline": "avahi-daemon: running [den-2.local]\x00"}, []want{{Warning, "this one took den-2.local"}}},
		{"hyphen of its own", "avahi", tree{"bin/avahi-daemon": "", avahiPid: "412\n", hostFile: "den-2\n", "proc/412/cmdline": "avahi-daemon: running [den-2.local]\x00", "etc/avahi/services/edgechat.service": ""}, []want{{OK, ""}}},
		{"another process", "avahi", tree{"bin/avahi-daemon": "", avahiPid: "412\n", hostFile: "den\n", "proc/412/cmdline": "bash\x00"}, []want{{Note, `"bash"`}}},
	} {
		t.Run(c.check+": "+c.name, func(t *testing.T) {
			t.Parallel()
			look(t, c.tree.board(t), c.check, c.wants...)
		})
	}
}

// TestClockStates has the kernel say what it says of a clock that nobody keeps.
func TestClockStates(t *testing.T) {
	for _, c := range []struct {
		state, status int
		severity      Severity
	}{{0, 0x2001, OK}, {5, 0x0, Warning}, {0, 0x40, Warning}, {5, 0x2041, Warning}} {
		b := tree{"sys/class/rtc/rtc0/name": "x"}.board(t)
		b.Kernel.Adjtimex = func() (int, int, error) { return c.state, c.status, nil }
		look(t, b, "clock", want{c.severity, "adjtimex"}, want{OK, "rtc0"})
	}
	b := tree{"sys/class/rtc/rtc0/name": "x"}.board(t)
	b.Kernel.Adjtimex = func() (int, int, error) { return 0, 0, os.ErrPermission }
	look(t, b, "clock", want{Note, "adjtimex: permission denied"}, want{OK, "rtc0"})
}

// TestDescriptorsOfServer: those of the server that runs, or of one started here.
func TestDescriptorsOfServer(t *testing.T) {
	const tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 4711 1 0 100 0 0 10 0\n"
	limits := func(n string) string {
		return "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 " + n + "               files     \n"
	}
	for n, severity := range map[string]Severity{"65536": OK, "unlimited": OK, "1000": Warning, "100": Problem} {
		look(t, tree{"proc/net/tcp": tcp, "proc/77/fd/3": "-> socket:[4711]", "proc/77/comm": "edgechat\n", "proc/77/limits": limits(n)}.board(t), "descriptors", want{severity, "/proc/77/limits"})
	}
	look(t, tree{"proc/net/tcp": tcp, "proc/77/fd/3": "-> socket:[4711]", "proc/77/comm": "edgechat\n", "proc/77/limits": "x"}.board(t), "descriptors", want{Note, "Max open files"})
	for n, severity := range map[int64]Severity{524288: OK, 1023: Warning, 127: Problem} {
		b := tree{}.board(t)
		b.Kernel.Descriptors = func() (int64, error) { return n, nil }
		look(t, b, "descriptors", want{severity, "RLIMIT_NOFILE"})
	}
}

// TestPorts has others on the port, in both tables of the kernel.
func TestPorts(t *testing.T) {
	line := func(port, state string) string {
		return "head\n   0: 00000000:" + port + " 00000000:0000 " + state + " 00000000:00000000 00:00000000 00000000   998        0 4711 1 0 100 0 0 10 0\n"
	}
	other := func(name, pid string) tree {
		return tree{"proc/net/tcp": "head\n", "proc/net/tcp6": line("0BB8", "0A"), "proc/" + pid + "/fd/3": "-> socket:[4711]", "proc/" + pid + "/comm": name + "\n"}
	}
	for _, c := range []struct {
		tree tree
		want want
	}{
		{tree{"proc/net/tcp": line("0BB9", "0A")}, want{OK, "nobody listens on port 3000"}},
		{tree{"proc/net/tcp": line("0BB8", "01")}, want{OK, "nobody listens"}},
		{other("node", "812"), want{Problem, "process 812 node"}},
		{other("edgechat", "812"), want{OK, "process 812 edgechat"}},
		{other("systemd", "1"), want{Note, "systemctl list-sockets"}},
		{tree{"proc/net/tcp": line("0BB8", "0A")}, want{Problem, "no process has it open that is seen here"}},
		{tree{}, want{Note, "no such file"}},
	} {
		look(t, c.tree.board(t), "port", c.want)
	}
	b := tree{}.board(t)
	b.Ports = nil
	look(t, b, "port", want{Note, "no TCP port is named"})
}
