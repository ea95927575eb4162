package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"edgechat/internal/settings"
	"edgechat/limit"
)

func TestRates(t *testing.T) {
	const kib = 1 << 10
	for text, want := range map[string]limit.Rate{
		"10/30": {N: 10, Per: time.Second, Burst: 30}, "10/s/30": {N: 10, Per: time.Second, Burst: 30}, "0": {},
		"10/min/30": {N: 10, Per: time.Minute, Burst: 30}, "1/h/1": {N: 1, Per: time.Hour, Burst: 1},
	} {
		if got, ok := parseRate(text, false); !ok || got != want {
			t.Errorf("%s: %+v, %t", text, got, ok)
		}
	}
	if got, ok := parseRate("32KiB/128KiB", true); !ok || got != (limit.Rate{N: 32 * kib, Per: time.Second, Burst: 128 * kib}) {
		t.Errorf("%+v, %t", got, ok)
	}
	for _, text := range []string{"", "10", "10/", "/30", "0/30", "10/0", "-1/30", "10/30/40", "10/day/30", "x/30", "10/x", "10/s/30/40", "1KiB/2KiB", "9999999999/1", "10 / 30"} {
		if got, ok := parseRate(text, false); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
	for _, s := range new(options).limits() { // the default is what it reads
		if s.Takes == "RATE" {
			r, ok := parseRate(s.Default, strings.Contains(s.Default, "KiB"))
			if !ok || showRate(r, strings.Contains(s.Default, "KiB")) != s.Default {
				t.Errorf("--%s: %q is %+v, %t", s.Name, s.Default, r, ok)
			}
		}
	}
}

// TestDefaultLimits: what nobody sets is what docs/protocol.md says; and 0 turns each off.
func TestDefaultLimits(t *testing.T) {
	resolve := func(args ...string) *options {
		t.Helper()
		var o options
		if _, _, err := settings.Resolve(o.limits(), args, noEnv); err != nil {
			t.Fatal(err)
		}
		return &o
	}
	o := resolve()
	second, minute := time.Second, time.Minute
	for name, pair := range map[string][2]any{
		"rate":           {o.Limits.Messages, limit.Rate{N: 10, Per: second, Burst: 30}},
		"byte-rate":      {o.Limits.Bytes, limit.Rate{N: 32 << 10, Per: second, Burst: 128 << 10}},
		"frame-rate":     {o.Connections.Frames, limit.Rate{N: 50, Per: second, Burst: 200}},
		"handshake-rate": {o.Connections.Handshakes, limit.Rate{N: 10, Per: second, Burst: 100}},
		"join-rate":      {o.Limits.Joins, limit.Rate{N: 5, Per: second, Burst: 20}},
		"room-rate":      {o.Limits.NewRooms, limit.Rate{N: 10, Per: minute, Burst: 30}},
		"token-failures": {o.Limits.Failures, limit.Rate{N: 1, Per: minute, Burst: 30}},
		"read-rate":      {o.Limits.Reads, limit.Rate{N: 20, Per: second, Burst: 100}},
		"numbers": {
			[...]int{o.Connections.PerAddress, o.Connections.Plain, o.Connections.PlainPerAddress, o.Limits.Invalid, o.MembersPerRoom, o.Limits.Histories, o.SlowPerAddress},
			[...]int{64, 256, 16, 20, 5000, 2, 5},
		},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %+v, want %+v", name, pair[0], pair[1])
		}
	}
	if o.Connections.Connections < 64 || len(o.TrustedProxies) != 0 {
		t.Errorf("%d connections, %v trusted", o.Connections.Connections, o.TrustedProxies)
	}
	var args []string
	for _, s := range o.limits() {
		if s.Name != "trusted-proxies" && s.Name != "moderation-rules" { // which is never off
			args = append(args, "--"+s.Name+"=0")
		}
	}
	off := resolve(args...)
	if off.Connections != (resolve(args...).Connections) || off.Connections.Connections+off.Connections.PerAddress+off.Connections.Plain+off.Connections.PlainPerAddress+
		off.Limits.Invalid+off.MembersPerRoom+off.Limits.Histories+off.SlowPerAddress != 0 || !off.Limits.Messages.IsZero() || !off.Limits.Bytes.IsZero() || !off.Connections.Frames.IsZero() || !off.Connections.Handshakes.IsZero() ||
		!off.Limits.Joins.IsZero() || !off.Limits.NewRooms.IsZero() || !off.Limits.Failures.IsZero() || !off.Limits.Reads.IsZero() {
		t.Errorf("0 is not off: %+v", off.Config)
	}
	o = resolve("--trusted-proxies", "10.1.2.3/8,192.0.2.1", "--trusted-proxies", "fd00::/8")
	var got []string
	for _, p := range o.TrustedProxies {
		got = append(got, p.String())
	}
	if want := []string{"10.0.0.0/8", "192.0.2.1/32", "fd00::/8"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !limit.NewProxies(o.TrustedProxies).Trusts(netip.MustParseAddr("10.9.9.9")) {
		t.Error("a proxy of the prefix is not trusted")
	}
}

func TestMostConnections(t *testing.T) {
	for _, c := range []struct {
		descriptors, memory int64
		want                int
	}{
		{65536, 512 << 20, 8192}, {65536, 4 << 30, 65472}, {65536, 8 << 30, 65472}, {1024, 1 << 30, 960}, {1 << 40, 1 << 40, 1_000_000 - 64},
		{0, 1 << 30, 16384}, {1024, 0, 960}, {0, 0, 10_000}, {70, 1 << 20, 64},
	} {
		if n, from := mostConnections(c.descriptors, c.memory, "memory"); n != c.want || from == "" {
			t.Errorf("%d files, %d bytes: %d %s, want %d", c.descriptors, c.memory, n, from, c.want)
		}
	}
}
