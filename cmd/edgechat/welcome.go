package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"
)

// avahi is there while a daemon answers for NAME.local.
const avahi = "/run/avahi-daemon/socket"

// welcome tells who sits at the terminal where phones find the server, with a QR code. Under a service manager nobody does.
func (a *app) welcome(urls []string) {
	if !isTerminal(a.stderr) || a.getenv("INVOCATION_ID") != "" || len(urls) == 0 {
		return
	}
	var open []string // from elsewhere
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "localhost" {
			continue
		}
		if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
			open = append(open, text)
		}
	}
	if len(open) == 0 {
		fmt.Fprintf(a.stderr, "\n  %s\n  Others in the network do not reach it: edgechat serve --listen :3000 lets them.\n\n", urls[0])
		return
	}
	lines := open
	if host, err := os.Hostname(); err == nil {
		if _, err := os.Stat(avahi); err == nil {
			host, _, _ = strings.Cut(host, ".")
			if u, err := url.Parse(open[0]); err == nil {
				lines = append(lines, "http://"+net.JoinHostPort(host+".local", u.Port()))
			}
		}
	}
	fmt.Fprintf(a.stderr, "\n  Open %s\n", strings.Join(lines, "\n    or "))
	columns := width(a.stderr)
	if code, err := qrLines(open[0], true); err == nil && (columns == 0 || columns >= columnsOf(code)) {
		fmt.Fprintf(a.stderr, "\n%s\n", code)
	}
}

// columnsOf is how wide a styled code is.
func columnsOf(code string) int {
	line, _, _ := strings.Cut(code, plainStyle)
	return utf8.RuneCountInString(strings.TrimPrefix(line, codeStyle))
}
