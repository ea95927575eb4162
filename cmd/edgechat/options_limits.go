package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"edgechat/chat"
	"edgechat/internal/settings"
	"edgechat/limit"
	"edgechat/moderation"
	"edgechat/server"
	"edgechat/ws"
)

// limits are the settings of how much one client may do. 0 turns each off.
func (o *options) limits() []settings.Setting {
	c := &o.Config
	conns, talk := ws.DefaultLimits(), chat.DefaultLimits()
	return []settings.Setting{
		connections(settings.Setting{Name: "connections", DefaultText: "open files less 64, or one for each 64KiB of memory, if that is less",
			Usage: "connections in all, of which the last 64 take no WebSockets"}, &c.Connections.Connections),
		upTo(settings.Setting{Name: "connections-per-address", Usage: "WebSockets and streams of one address; fewer once half of all there may be are there"}, &c.Connections.PerAddress, conns.PerAddress),
		upTo(settings.Setting{Name: "streams", Usage: "answers over plain HTTP that have no end, and requests that wait for a message, which may take half of --http-connections"}, &c.Connections.Streams, conns.Streams),
		upTo(settings.Setting{Name: "http-connections", Usage: "connections that are no WebSockets or streams, or none yet"}, &c.Connections.Plain, conns.Plain),
		upTo(settings.Setting{Name: "http-per-address", Usage: "of these, those of one address, fewer once half of all are taken, and requests of one address behind a trusted proxy"}, &c.Connections.PlainPerAddress, conns.PlainPerAddress),
		rate(settings.Setting{Name: "rate", Usage: "messages of one connection; over HTTP, of one address"}, &c.Limits.Messages, talk.Messages, false),
		rate(settings.Setting{Name: "byte-rate", Usage: "bytes that one connection sends; over HTTP, one address"}, &c.Limits.Bytes, talk.Bytes, true),
		rate(settings.Setting{Name: "handshake-rate", Usage: "handshakes of TLS that one address begins"}, &c.Connections.Handshakes, conns.Handshakes, false),
		rate(settings.Setting{Name: "frame-rate", Usage: "frames of any kind on one connection, behind which it is closed"}, &c.Connections.Frames, conns.Frames, false),
		rate(settings.Setting{Name: "join-rate", Usage: "joins of one address"}, &c.Limits.Joins, talk.Joins, false),
		rate(settings.Setting{Name: "room-rate", Usage: "rooms that are new, of one address"}, &c.Limits.NewRooms, talk.NewRooms, false),
		rate(settings.Setting{Name: "token-failures", Usage: "tokens of one address that are not valid"}, &c.Limits.Failures, talk.Failures, false),
		rate(settings.Setting{Name: "read-rate", Usage: "requests of one address for histories, members, rooms and rules, over HTTP"}, &c.Limits.Reads, talk.Reads, false),
		upTo(settings.Setting{Name: "invalid-frames", Usage: "frames in a row that are not valid, behind which a connection is closed"}, &c.Limits.Invalid, talk.Invalid),
		upTo(settings.Setting{Name: "members-per-room", Usage: "members of one room at once"}, &c.MembersPerRoom, server.DefaultMembersPerRoom),
		upTo(settings.Setting{Name: "history-reads-per-address", Usage: "histories that one address reads at once over HTTP"}, &c.Limits.Histories, talk.Histories),
		settings.Number(settings.Setting{Name: "moderation-rules", Default: strconv.Itoa(moderation.DefaultMost),
			Usage: "bans, mutes and rules of rooms at once; each takes some 200 bytes of a file that is written anew with every change"}, &c.ModerationRules, 1, 10_000),
		upTo(settings.Setting{Name: "slow-per-address", Usage: "messages of all who have no token at one address, in the time in which slow mode lets each send one"}, &c.SlowPerAddress, moderation.DefaultSlowPerAddress),
		proxies(settings.Setting{Name: "trusted-proxies", Takes: "ADDRESS", DefaultText: "this machine alone",
			Usage: "proxies that are believed whom they speak for, by X-Forwarded-For or Forwarded: an address, or a prefix such as 10.0.0.0/8; repeatable, or separated by commas"}, &c.TrustedProxies),
	}
}

const noLimit = "; 0 is no limit"

// upTo takes a number of which 0 is no limit.
func upTo(s settings.Setting, dst *int, def int) settings.Setting {
	s.Default = strconv.Itoa(def)
	s.Usage += noLimit
	return settings.Number(s, dst, 0, 1_000_000)
}

// bytesOfConnection is how much memory a connection is reckoned with, in bytes, its share of the rooms, of the
// kernel's buffers and of what is garbage for a while included.
const bytesOfConnection = 64 << 10

// spareDescriptors are kept for all that is no connection.
const spareDescriptors = 64

// connections takes a number, whose default is what this machine has room for.
func connections(s settings.Setting, dst *int) settings.Setting {
	s = upTo(s, dst, 0)
	s.Default = ""
	s.Preset = func() (value, from string) {
		memory, from := machineMemory(), "default, by this machine's memory"
		if n, group := cgroupMemory("/proc/self/cgroup", "/sys/fs/cgroup"); n > 0 && (memory == 0 || n < memory) {
			memory, from = n, "default, by memory.max of the cgroup "+group
		}
		n, from := mostConnections(maxDescriptors(), memory, from)
		return strconv.Itoa(n), from
	}
	return s
}

// mostConnections returns how many connections so many descriptors and bytes of memory are enough for; 0 is not known.
func mostConnections(descriptors, memory int64, fromMemory string) (n int, from string) {
	n, from = 10_000, "default, as nothing is known of this machine"
	if memory > 0 {
		n, from = int(min(memory/bytesOfConnection, 1_000_000)), fromMemory
	}
	if descriptors > 0 {
		if d := int(min(descriptors, 1_000_000)) - spareDescriptors; memory <= 0 || d < n {
			n, from = d, "default, by the files that may be open"
		}
	}
	return max(n, spareDescriptors), from
}

// rate takes a rate as 10/30: 10 a second, and 30 at once; or as 10/min/30.
func rate(s settings.Setting, dst *limit.Rate, def limit.Rate, bytes bool) settings.Setting {
	s.Takes, s.Default = "RATE", showRate(def, bytes)
	s.Allowed = "COUNT/BURST, COUNT/min/BURST or COUNT/h/BURST, or 0 for no limit"
	s.Set = func(v []string) error {
		r, ok := parseRate(v[0], bytes)
		if !ok {
			return fmt.Errorf("%q is not a rate such as %s, which is %v: %s is allowed", v[0], s.Default, def, s.Allowed)
		}
		*dst = r
		return nil
	}
	return s
}

var periods = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}

// parseRate reads 10/30, 10/s/30, 10/min/30, 32KiB/128KiB, 0.
func parseRate(text string, bytes bool) (r limit.Rate, ok bool) {
	number := func(text string) (n int, ok bool) {
		var wide int64
		err := settings.Size(settings.Setting{}, &wide, 0, 1<<30).Set([]string{text})
		if !bytes {
			n, err = strconv.Atoi(text)
			wide = int64(n)
		}
		return int(wide), err == nil && 0 <= wide && wide <= 1<<30
	}
	parts := strings.Split(text, "/")
	if r.N, ok = number(parts[0]); !ok || r.N == 0 {
		return limit.Rate{}, ok && len(parts) == 1
	}
	r.Per = time.Second
	if len(parts) == 3 {
		if r.Per, ok = periods[parts[1]]; !ok {
			return limit.Rate{}, false
		}
		parts = []string{parts[0], parts[2]}
	}
	if len(parts) != 2 {
		return limit.Rate{}, false
	}
	if r.Burst, ok = number(parts[1]); !ok || r.Burst == 0 {
		return limit.Rate{}, false
	}
	return r, true
}

// showRate writes r as parseRate reads it.
func showRate(r limit.Rate, bytes bool) string {
	number := strconv.Itoa
	if bytes {
		number = func(n int) string { return settings.Bytes(int64(n)) }
	}
	for name, per := range periods {
		if per == r.Per && per != time.Second {
			return number(r.N) + "/" + name + "/" + number(r.Most())
		}
	}
	return number(r.N) + "/" + number(r.Most())
}

// proxies takes addresses and prefixes.
func proxies(s settings.Setting, dst *[]netip.Prefix) settings.Setting {
	var list []string
	parse := func(text string) (netip.Prefix, error) {
		if p, err := netip.ParsePrefix(text); err == nil {
			return p.Masked(), nil
		}
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is not an address such as 192.0.2.1, or a prefix such as 10.0.0.0/8 or fd00::/8", text)
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	s = settings.List(s, &list, func(text string) error { _, err := parse(text); return err })
	set := s.Set
	s.Set = func(v []string) error {
		if err := set(v); err != nil {
			return err
		}
		*dst = nil
		for _, text := range list {
			p, err := parse(text)
			if err != nil {
				return err
			}
			*dst = append(*dst, p)
		}
		return nil
	}
	return s
}
