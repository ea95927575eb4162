package captive

import (
	"net/http"
	"strings"
)

// A probe is a question of which each maker has its own: get this page, which says whether the network leads to it or to
// somebody who has to be asked first.
type probe struct {
	host, path  string
	status      int    // of the answer that says "all is well"
	contentType string // of its body
	body        string
	manager     bool // NetworkManager also takes a header for an answer
}

const (
	plain = "text/plain"
	html  = "text/html"

	apple   = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>\n"
	mozilla = `<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>`
	online  = "NetworkManager is online\n"
)

// probes are those of the systems that people carry, as each compares the answer.
var probes = []probe{
	// iOS, iPadOS, macOS.
	{"captive.apple.com", "/hotspot-detect.html", 200, html, apple, false},
	{"captive.apple.com", "/", 200, html, apple, false},
	{"www.apple.com", "/library/test/success.html", 200, html, apple, false},
	// Android and ChromeOS, and makers who ask a server of their own.
	{"connectivitycheck.gstatic.com", "/generate_204", 204, "", "", false},
	{"connectivitycheck.android.com", "/generate_204", 204, "", "", false},
	{"clients3.google.com", "/generate_204", 204, "", "", false},
	{"www.google.com", "/gen_204", 204, "", "", false},
	{"www.google.com", "/generate_204", 204, "", "", false},
	{"play.googleapis.com", "/generate_204", 204, "", "", false},
	{"www.gstatic.com", "/generate_204", 204, "", "", false},
	{"connect.rom.miui.com", "/generate_204", 204, "", "", false},
	{"connectivitycheck.platform.hicloud.com", "/generate_204", 204, "", "", false},
	// Windows 10 and 11, and those before.
	{"www.msftconnecttest.com", "/connecttest.txt", 200, plain, "Microsoft Connect Test", false},
	{"ipv6.msftconnecttest.com", "/connecttest.txt", 200, plain, "Microsoft Connect Test", false},
	{"www.msftncsi.com", "/ncsi.txt", 200, plain, "Microsoft NCSI", false},
	// Firefox.
	{"detectportal.firefox.com", "/success.txt", 200, plain, "success\n", false},
	{"detectportal.firefox.com", "/canonical.html", 200, html, mozilla, false},
	// NetworkManager, as GNOME and distributions set it up.
	{"nmcheck.gnome.org", "/check_network_status.txt", 200, plain, online, true},
	{"network-test.debian.org", "/nm", 200, plain, online, true},
	{"connectivity-check.ubuntu.com", "/", 204, "", "", true},
	{"fedoraproject.org", "/static/hotspot.txt", 200, plain, "OK", true},
}

// shared are hosts of probes that are much else besides: on these nothing but the probe itself is answered. On the others
// each path leads to the page, as Windows opens /redirect.
var shared = map[string]bool{
	"www.apple.com": true, "www.google.com": true, "clients3.google.com": true, "play.googleapis.com": true, "www.gstatic.com": true, "fedoraproject.org": true,
}

// find returns the probe that r is, nil if it asks for something else; ours says whether it asks a host of probes, and is to be answered.
func find(r *http.Request) (p *probe, ours bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.TLS != nil || r.Header.Get("Upgrade") != "" {
		return nil, false
	}
	host := strings.TrimSuffix(strings.ToLower(strings.TrimSuffix(r.Host, ":80")), ".")
	for i := range probes {
		if probes[i].host != host {
			continue
		}
		ours = ours || !shared[host]
		if probes[i].path == r.URL.Path {
			return &probes[i], true
		}
	}
	return nil, ours
}

// answer says that all is well.
func (p *probe) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if p.contentType != "" {
		h.Set("Content-Type", p.contentType)
	}
	if p.manager {
		h.Set("X-NetworkManager-Status", "online")
	}
	w.WriteHeader(p.status)
	if r.Method == http.MethodGet && p.body != "" {
		_, _ = w.Write([]byte(p.body)) // the peer is gone if it fails
	}
}
