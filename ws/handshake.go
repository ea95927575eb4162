package ws

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

// checkHandshake checks r by RFC 6455 section 4.2.1, before the connection is
// taken from net/http, so that every refusal is plain HTTP.
func checkHandshake(r *http.Request) error {
	bad := func(what string) *refusal.Error { return refusal.New(refusal.BadHandshake, what) }
	if !headerHas(r.Header, "Upgrade", "websocket") {
		return offerUpgrade(refusal.New(refusal.UpgradeRequired,
			"this is a WebSocket endpoint: connect to it with ws:// or wss:// instead of http:// or https://"))
	}
	switch {
	case r.Method != http.MethodGet:
		return bad("a WebSocket handshake is a GET, not a " + r.Method)
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor > 1:
		return bad("a WebSocket handshake needs HTTP/1.1, not " + r.Proto)
	case !headerHas(r.Header, "Connection", "Upgrade"):
		return bad("the Connection header must name Upgrade; a proxy may have removed it")
	case r.ContentLength != 0:
		return bad("a WebSocket handshake has no body")
	}
	if v := r.Header.Values("Sec-WebSocket-Version"); len(v) != 1 || v[0] != "13" {
		return offerUpgrade(bad("Sec-WebSocket-Version must be 13"))
	}
	key := r.Header.Values("Sec-WebSocket-Key")
	if len(key) != 1 {
		return bad("there must be exactly one Sec-WebSocket-Key")
	}
	if !frame.ValidKey(key[0]) {
		return bad("Sec-WebSocket-Key must be 16 bytes in base64")
	}
	return nil
}

// offerUpgrade makes r a 426, which says what is spoken here (RFC 6455 section 4.2.2, RFC 9110
// section 15.5.22).
func offerUpgrade(r *refusal.Error) *refusal.Error {
	r.Status = http.StatusUpgradeRequired
	return r.With("Upgrade", "websocket").With("Connection", "Upgrade").With("Sec-WebSocket-Version", "13")
}

// headerHas reports whether a comma-separated header names token.
func headerHas(h http.Header, key, token string) bool {
	for _, t := range headerTokens(h, key) {
		if strings.EqualFold(t, token) {
			return true
		}
	}
	return false
}

func headerTokens(h http.Header, key string) (tokens []string) {
	for _, line := range h.Values(key) {
		for t := range strings.SplitSeq(line, ",") {
			if t = strings.TrimSpace(t); t != "" {
				tokens = append(tokens, t)
			}
		}
	}
	return tokens
}

// chooseSubprotocol returns the first of served that the client offers, or "".
func chooseSubprotocol(h http.Header, served []string) string {
	offered := headerTokens(h, "Sec-WebSocket-Protocol")
	for _, s := range served {
		if slices.Contains(offered, s) {
			return s
		}
	}
	return ""
}

// hijack takes the connection from net/http, with what the client sent behind
// its handshake.
func hijack(w http.ResponseWriter, sendBuffer int) (nc net.Conn, head []byte, err error) {
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	head = make([]byte, brw.Reader.Buffered())
	if _, err := io.ReadFull(brw.Reader, head); err != nil { // buffered: it cannot fail
		_ = nc.Close()
		return nil, nil, err
	}
	if p, ok := nc.(*plainConn); ok {
		p.leave()
		nc, head = p.Conn, append(head, p.head...)
	} else if u := underOf(nc); u != nil {
		u.hijacked()
	}
	_ = nc.SetDeadline(time.Time{}) // net/http may have left one; a dead conn shows on the first read
	setSendBuffer(nc, sendBuffer)
	return nc, head, nil
}

// fixedRequest is the handshake that gws sees. That of the client was checked, and is answered, here.
var fixedRequest = &http.Request{Method: http.MethodGet, Header: http.Header{
	"Upgrade":               {"websocket"},
	"Connection":            {"Upgrade"},
	"Sec-Websocket-Version": {"13"},
	"Sec-Websocket-Key":     {"AAAAAAAAAAAAAAAAAAAAAA=="},
}}

// shuttingDown answers a handshake that came too late.
func shuttingDown() *refusal.Error {
	return refusal.New(refusal.Unavailable, "the server is shutting down, try again soon").With("Retry-After", "5")
}
