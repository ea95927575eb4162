package main

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgechat/auth"
)

// The constructors below make settings of each kind, with the allowed range in
// words, so that help, documents and errors cannot disagree with the check.

func duration(s setting, dst *time.Duration, low, high time.Duration) setting {
	s.takes = "DURATION"
	s.allowed = short(low) + " to " + short(high)
	s.set = func(v []string) error {
		d, err := time.ParseDuration(v[0])
		if err != nil {
			return fmt.Errorf("%q is not a duration such as %s: %s is allowed", v[0], s.def, s.allowed)
		}
		if d < low || d > high {
			return fmt.Errorf("%s is out of range: %s is allowed", v[0], s.allowed)
		}
		*dst = d
		return nil
	}
	return s
}

// short prints 1m as "1m" rather than "1m0s".
func short(d time.Duration) string {
	text := strings.TrimSuffix(d.String(), "m0s")
	if text != d.String() {
		text += "m"
	}
	return text
}

func number(s setting, dst *int, low, high int) setting {
	s.takes = "NUMBER"
	s.allowed = fmt.Sprintf("%d to %d", low, high)
	s.set = func(v []string) error {
		n, err := strconv.Atoi(v[0])
		if errors.Is(err, strconv.ErrSyntax) {
			return fmt.Errorf("%q is not a whole number: %s is allowed", v[0], s.allowed)
		}
		if err != nil || n < low || n > high {
			return fmt.Errorf("%s is out of range: %s is allowed", v[0], s.allowed)
		}
		*dst = n
		return nil
	}
	return s
}

// maxHistoryBytes keeps the store's file, which is mapped into memory, within
// the address space of a 32-bit board.
const maxHistoryBytes = 128 << 20 << (bits.UintSize / 64 * 7) // 16 GiB on 64 bits

type byteUnit struct {
	name string
	size int64
}

var units = []byteUnit{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

// parseBytes reads "64MiB", "1GB", "65536". "64M" is refused: it means one thing
// to some programs and another to others.
func parseBytes(text string) (int64, error) {
	digits := strings.TrimRight(text, "BGIKMbgikm ")
	u, err := strconv.ParseUint(digits, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return 0, strconv.ErrRange
	}
	unit := strings.ToUpper(strings.TrimSpace(text[len(digits):]))
	i := slices.IndexFunc(units, func(u byteUnit) bool { return u.name == unit })
	if err != nil || i < 0 {
		return 0, strconv.ErrSyntax
	}
	if n := int64(u); n <= math.MaxInt64/units[i].size {
		return n * units[i].size, nil
	}
	return 0, strconv.ErrRange
}

func size(s setting, dst *int64, low, high int64) setting {
	s.takes = "BYTES"
	s.allowed = showBytes(low) + " to " + showBytes(high)
	s.set = func(v []string) error {
		n, err := parseBytes(v[0])
		if errors.Is(err, strconv.ErrSyntax) {
			return fmt.Errorf("%q is not a size such as 64MiB, 1GB or 1000000: %s is allowed", v[0], s.allowed)
		}
		if err != nil || n < low || n > high {
			return fmt.Errorf("%s is out of range: %s is allowed", v[0], s.allowed)
		}
		*dst = n
		return nil
	}
	return s
}

func showBytes(n int64) string {
	for _, u := range units[:3] {
		if v := n / u.size; n%u.size == 0 && v < 1024 {
			return strconv.FormatInt(v, 10) + u.name[:1] + "i" + u.name[2:]
		}
	}
	return strconv.FormatInt(n, 10)
}

// choice stores one of a few words by calling store.
func choice(s setting, words []string, store func(string) error) setting {
	s.takes = strings.Join(words, "|")
	s.set = func(v []string) error {
		for _, w := range words {
			if w == v[0] {
				return store(w)
			}
		}
		return fmt.Errorf("%q is not allowed: %s or %s is", v[0], strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
	}
	return s
}

func access(s setting, dst *auth.Access, words ...string) setting {
	return choice(s, words, func(w string) error { return dst.UnmarshalText([]byte(w)) })
}

func path(s setting, dst *string) setting {
	s.set = func(v []string) error {
		if strings.ContainsRune(v[0], 0) {
			return fmt.Errorf("%q is not a path", v[0])
		}
		*dst = v[0]
		return nil
	}
	return s
}

// checkListen wants host:port or unix:PATH.
func checkListen(addr string) error {
	if file, ok := strings.CutPrefix(addr, "unix:"); ok {
		if file == "" {
			return fmt.Errorf("%q lacks a path: write unix:/run/edgechat.sock", addr)
		}
		return nil
	}
	if _, err := strconv.ParseUint(addr, 10, 16); err == nil {
		return fmt.Errorf("%q lacks a colon: write :%s", addr, addr)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port, :port, [ipv6]:port or unix:PATH", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q: port %q is not a number from 0 to 65535", addr, port)
	}
	return nil
}

// checkOrigin wants what a browser sends as Origin (RFC 6454, section 6.2), or "*".
func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
		u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("%q is not an origin such as https://chat.example or http://pi.local:8080 (no path), or *", origin)
	}
	return nil
}

func list(s setting, dst *[]string, check func(string) error) setting {
	s.list = true
	s.set = func(values []string) error {
		for _, v := range values {
			if err := check(v); err != nil {
				return err
			}
		}
		*dst = values
		return nil
	}
	return s
}
