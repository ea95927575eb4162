package main

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
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
