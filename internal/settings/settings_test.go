package settings

import (
	"slices"
	"testing"
	"time"
)

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "65536": 65536, "64MiB": 64 << 20, "1GB": 1e9, "1 GiB": 1 << 30, "10kb": 10_000, "3KiB": 3 << 10, "7B": 7,
		"": -1, "MiB": -1, "64M": -1, "1k": -1, "-1": -1, "1.5GB": -1, "1TB": -1, "0x10": -1, "64MiBMiB": -1,
		"9223372036854775808": -1, "9223372036854775807GiB": -1, "8589934592GiB": -1,
	} {
		got, err := parseBytes(text)
		if want < 0 && err == nil || want >= 0 && (got != want || err != nil) {
			t.Errorf("parseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestShow(t *testing.T) {
	for d, want := range map[time.Duration]string{10 * time.Millisecond: "10ms", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", 10 * time.Minute: "10m", time.Hour: "1h0m"} {
		if got := ShortDuration(d); got != want {
			t.Errorf("ShortDuration(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{1 << 20: "1MiB", 16 << 30: "16GiB", 512: "512", 1 << 10: "1KiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

// A toggle stands alone, and takes nothing that stands behind it.
func TestToggle(t *testing.T) {
	var on, other bool
	table := []Setting{Toggle(Setting{Name: "json"}, &on), Toggle(Setting{Name: "saturate"}, &other)}
	for _, c := range []struct {
		args      []string
		on, other bool
		rest      []string
	}{
		{nil, false, false, nil},
		{[]string{"--json"}, true, false, nil},
		{[]string{"-saturate", "x", "--json=false"}, false, true, []string{"x"}},
		{[]string{"--json", "x", "--", "--saturate"}, true, false, []string{"x", "--saturate"}},
	} {
		rest, _, err := Resolve(table, c.args, func(string) string { return "" })
		if err != nil || on != c.on || other != c.other || !slices.Equal(rest, c.rest) {
			t.Errorf("%q: %v, %v, %q, %v", c.args, on, other, rest, err)
		}
	}
	if _, _, err := Resolve(table, []string{"--json=x"}, func(string) string { return "" }); err == nil {
		t.Error("--json=x was taken")
	}
}

// A variable that is none of the settings is told with what was meant, if anything is near.
func TestStrays(t *testing.T) {
	table := []Setting{{Name: "sync-interval"}, {Name: "history"}, {Name: "pid", NoEnv: true}}
	got := Strays([]string{"EDGECHAT_HISTROY=5", "EDGECHAT_HISTORY=5", "EDGECHAT_SYNC_INTERVAL=", "edgechat_history=1", "EDGECHAT_WEATHER=x", "HOME=/", "EDGECHAT_PID=3"}, table)
	want := []Stray{{"EDGECHAT_HISTROY", "EDGECHAT_HISTORY"}, {"edgechat_history", "EDGECHAT_HISTORY"}, {"EDGECHAT_WEATHER", ""}, {"EDGECHAT_PID", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
