package server

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"edgechat/auth"
	"edgechat/metrics"
	"edgechat/refusal"
	"edgechat/ws"
)

// forwarded are headers by which a proxy says that somebody else asks.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"}

// mayScrape is the guard of /metrics where everyone can connect: whoever asks is on this machine, and is no proxy
// nor a web page that has made a name of its own stand for it; or has a token with that right.
func (s *Server) mayScrape(r *ws.Request) error {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	local := err == nil && peer.Addr().Unmap().IsLoopback() && isLocalHost(r.Host)
	for _, h := range forwarded {
		local = local && r.Header.Get(h) == ""
	}
	if _, has, err := auth.FromRequest(r.Request); !local && s.hasTokens() && (has || err != nil) {
		return s.chat.MayScrape(r)
	}
	if !local {
		return refusal.New(refusal.Forbidden, "metrics are for this machine, at http://localhost, and for a token with the access metrics or admin; --metrics-listen opens them elsewhere")
	}
	return nil
}

// isLocalHost reports whether a Host header is this machine for itself.
func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]") // an IPv6 address without a port
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (s *Server) metrics(w http.ResponseWriter, _ *ws.Request) error {
	w.Header().Set("Content-Type", metrics.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	_ = s.writeMetrics(w) // the peer is gone if it fails
	return nil
}

// writeMetrics writes all families as they are now.
func (s *Server) writeMetrics(out io.Writer) error { return s.look().write(out) }
