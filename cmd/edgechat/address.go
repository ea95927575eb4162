package main

import (
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"

	"edgechat/browser"
	"edgechat/internal/settings"
	"edgechat/web"
)

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

// checkHost wants a name that browsers can send as Host.
func checkHost(s string) error {
	_, err := browser.ParseHost(s)
	return err
}

// checkOrigin wants what a browser sends as Origin.
func checkOrigin(s string) error {
	_, err := browser.ParseOrigin(s)
	return err
}

// checkAncestor wants the address of a page that has a host.
func checkAncestor(s string) error { return web.CheckAncestor(s) }

// basePath wants a path of segments that need no escape.
func basePath(s settings.Setting, dst *string) settings.Setting {
	s.Set = func(v []string) error {
		p := strings.TrimSuffix(v[0], "/")
		if p != "" && (!strings.HasPrefix(p, "/") || path.Clean(p) != p || !isPlainPath(p)) {
			return fmt.Errorf("%q is not a path such as /chat: letters, digits and - . _ ~ between slashes", v[0])
		}
		*dst = p
		return nil
	}
	return s
}

// isPlainPath reports whether no byte of p is escaped in a URL.
func isPlainPath(p string) bool {
	return strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~-") == ""
}
