package chat

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"edgechat/refusal"
	"edgechat/ws"
)

// anyOrigin allows pages of every origin.
const anyOrigin = "*"

// parseOrigins checks a list of origins and makes it a set of their usual
// spelling (RFC 6454 section 6.2).
func parseOrigins(list []string) (map[string]bool, error) {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		if s == anyOrigin {
			set[anyOrigin] = true
			continue
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme == "" || u.Host == "" || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" {
			return nil, fmt.Errorf("chat: allowed origin %q is not of the form https://host or https://host:port", s)
		}
		set[originOf(u)] = true
	}
	return set, nil
}

func originOf(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	return scheme + "://" + hostOf(u.Host, scheme)
}

// hostOf returns host in lower case and without the scheme's own port.
func hostOf(host, scheme string) string {
	host = strings.ToLower(host)
	if name, port, err := net.SplitHostPort(host); err == nil {
		if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
			if strings.Contains(name, ":") {
				return "[" + name + "]"
			}
			return name
		}
	}
	return host
}

// checkOrigin is a guard against web pages from elsewhere that use a visitor's
// browser to talk to this server (RFC 6455 section 10.2). Browsers name the page's
// origin; what names none is no page. A page served under the same host and port may.
func (ctl *controller) checkOrigin(r *ws.Request) error {
	values := r.Header.Values("Origin")
	if len(values) == 0 || ctl.origins[anyOrigin] {
		return nil
	}
	if len(values) == 1 {
		u, err := url.Parse(values[0])
		// The scheme that the client used is not known behind a proxy that does TLS, so the
		// host decides.
		if err == nil && u.Host != "" && (ctl.origins[originOf(u)] || hostOf(u.Host, u.Scheme) == hostOf(r.Host, u.Scheme)) {
			return nil
		}
	}
	return refusal.Errorf(refusal.OriginNotAllowed, "pages of %q may not connect here; the server's --allowed-origins can allow them", strings.Join(values, ", "))
}
