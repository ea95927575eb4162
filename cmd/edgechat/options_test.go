package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/bits"
	"os"
	"strings"
	"testing"

	"edgechat/internal/settings"
)

var update = flag.Bool("update", false, "write docs/settings.md anew")

// Each bound of the table is where its words say.
func TestBounds(t *testing.T) {
	home := func(k string) string { return map[string]string{"HOME": "/home/pi"}[k] }
	for _, s := range new(options).table(home) {
		low, high, ok := strings.Cut(s.Allowed, " to ")
		if !ok {
			continue
		}
		for _, v := range []string{low, high} {
			if err := s.Set([]string{v}); err != nil {
				t.Errorf("--%s %s: %v", s.Name, v, err)
			}
		}
		for _, v := range []string{"-1", "", "0", "9000000000000000000", "99999999999999999999", "999999h", "1e3"} {
			if v == low {
				continue
			}
			err := s.Set([]string{v})
			if err == nil || !strings.Contains(err.Error(), s.Allowed) {
				t.Errorf("--%s %q: the error %v must give the range", s.Name, v, err)
			}
		}
	}
}

// The defaults reach the fields that they are for.
func TestDefaults(t *testing.T) {
	var o options
	getenv := func(k string) string {
		return map[string]string{"STATE_DIRECTORY": "/var/lib/edgechat:/var/lib/other", "EDGECHAT_ALLOWED_ORIGINS": "https://a.example, http://b.example:8080"}[k]
	}
	rest, values, err := settings.Resolve(o.table(getenv), []string{"--history", "5", "x", "--history", "7", "--", "--y"}, getenv)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rest, " "); got != "x --y" {
		t.Errorf("rest %q", got)
	}
	got := fmt.Sprintf("%v %s %d %d %v %d %d %d %v %v %v %v %q %q %v %v %s", o.Listen, o.Data, o.History, o.HistoryBytes, o.SyncInterval,
		o.ReplayLimit, o.MaxContent, o.RoomsPerConnection, o.PingInterval, o.WriteTimeout, o.MessageTimeout, o.DrainTimeout, o.AllowedOrigins, o.Tokens, o.Anonymous, o.level.Level(), o.format)
	want := `[:3000] /var/lib/edgechat 7 67108864 1s 300 4096 32 25s 10s 20s 10s ["https://a.example" "http://b.example:8080"] "" write INFO text`
	if got != want {
		t.Errorf("options\n%s, want\n%s", got, want)
	}
	if len(values) != len(o.table(getenv)) {
		t.Errorf("%d values", len(values))
	}
}

const settingsFile = "../../docs/settings.md"

// docs/settings.md says what the table says. Write it with:
//
//	go test ./cmd/edgechat -run TestSettingsFile -update
func TestSettingsFile(t *testing.T) {
	if bits.UintSize < 64 {
		t.Skip("the bounds in the file are those of 64 bits")
	}
	var b bytes.Buffer
	b.WriteString(`# Settings

What ` + "`edgechat serve`" + ` can be told. Each flag is also an environment variable; a flag wins over the
variable, the variable over the default, and a variable that is empty counts as not set.
` + "`edgechat config`" + `, with the same flags and environment, prints each value and where it came from.
A value that is unknown or out of range is named, and the exit code is 2. A variable ` + "`EDGECHAT_...`" + ` that
is no setting is a warning with the nearest one.

| flag | environment | default | allowed | meaning |
|---|---|---|---|---|
`)
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	for _, s := range new(options).table(func(string) string { return "" }) {
		def := s.DefaultText
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		if def == "" {
			def = "none"
		}
		allowed := s.Allowed
		if allowed == "" {
			allowed = strings.ReplaceAll(s.Takes, "|", ", ")
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s | %s |\n", s.Name, s.Env(), cell(def), cell(allowed), cell(s.Usage))
	}
	b.WriteString(`
A duration is a number with a unit (` + "`500ms`, `10s`, `1m30s`" + `), a size is a number of bytes or one with a
unit (` + "`64MiB`, `1GB`" + `). Lists are written with commas, or by giving the flag several times.
A rate is how much there may be in a second, and at once after a pause: ` + "`10/30`" + `; ` + "`10/min/30`" + ` is in a minute. 0 is no limit.

An address is one of IPv4, or the /64 of one of IPv6, which on a local network may be all there is of it. The server's own machine and ` + "`--trusted-proxies`" + ` have no
limit by address: behind them a client is the address that they name. A proxy is to set either ` + "`X-Forwarded-For` or `Forwarded`" + `, and to pass on nothing of the other;
of what they say, only what stands right of the first address that is no trusted proxy is believed. [proxy.md](proxy.md) has recipes, and [protocol.md](protocol.md#8-limits) says what is answered.

Beyond ` + "`--history-bytes`" + ` the room that takes the most gives its oldest message. So a room that says little keeps what it
has, and those that say more than their share come out equal. A message counts the bytes of its texts and 64, a room 700 and its name.

The server reads the token file again on SIGHUP (` + "`kill -HUP PID`" + `) and ` + "`edgechat admin reload`" + `; ` + "`edgechat admin log-level`" + ` changes the level of the log. Everything else takes effect at the next start.
With that the connections of tokens that were taken back or allow less end, as do those of tokens that expire; what a token allows more, it does from the next connection on. A file that cannot be used leaves the
tokens as they are: one that is no regular file, is empty (a comment is enough if there are to be no tokens), that others can change, or that belongs to somebody who is neither root nor the user of the server.

## What else the environment says

| variable | from | meaning |
|---|---|---|
| ` + "`GOMEMLIMIT`" + ` | anyone | soft limit of what Go holds, heap and stacks, such as ` + "`200MiB`" + `; default 0.8 of the cgroup's ` + "`memory.max`" + ` or half of the machine's memory, whichever is less, and never under 32MiB |
| ` + "`LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`" + ` | a .socket unit | sockets to serve on in place of ` + "`--listen`" + `: TCP and unix streams, Accept=no. Who connects during a restart waits in their queues |
| ` + "`NOTIFY_SOCKET`" + ` | Type=notify | where to say that the start, a reload or a stop begins and ends, and what ` + "`systemctl status`" + ` shows |
| ` + "`WATCHDOG_USEC`, `WATCHDOG_PID`" + ` | WatchdogSec=, 10 s or more | how often to say that the server is alive: event loops, hub and store answer. A slow, full or broken card does not count against it |
| ` + "`CREDENTIALS_DIRECTORY`" + ` | LoadCredential=tokens:FILE, LoadCredential=jwt-key:FILE | the token file ` + "`tokens`" + ` in it, if ` + "`--tokens`" + ` is not set, and the key file ` + "`jwt-key`" + `, if ` + "`--jwt-key`" + ` is not; the log says if there is neither. They are copies made at the start: restart after a change |
| ` + "`STATE_DIRECTORY`" + ` | StateDirectory= | the data folder, if ` + "`--data`" + ` is not set |
| ` + "`RUNTIME_DIRECTORY`" + ` | RuntimeDirectory= | where the admin socket is, if ` + "`--admin`" + ` is not set |
| ` + "`JOURNAL_STREAM`" + ` | systemd | the log goes to the journal: lines begin with their priority (` + "`journalctl -p warning`" + `) and text has no times |
`)
	if *update {
		if err := os.WriteFile(settingsFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(settingsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s does not say what the flags are; write it anew: go test ./cmd/edgechat -run TestSettingsFile -update", settingsFile)
	}
}
