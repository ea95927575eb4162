package auth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// queryKey names the token in a query. A URL ends up in logs and histories, so the others are preferred.
const queryKey = "token"

// offerPrefix begins a subprotocol that is a token, which a client offers beside a real one: browsers cannot
// set another header on a WebSocket.
const offerPrefix = "bearer."

// FromRequest returns the token of r: "Authorization: Bearer x" (RFC 6750; the
// scheme in any case), a subprotocol "bearer.x", or "?token=x". ok is false if there is none; other
// schemes are not looked at, since a proxy in front may use them. The error is
// ErrRequest for two tokens that differ, or a query that cannot be parsed, and
// ErrBadToken for one that is empty or malformed. It never holds the token.
func FromRequest(r *http.Request) (token string, ok bool, err error) {
	add := func(t, where string) error {
		if !isB64token(t) {
			return fmt.Errorf("%w: the one in the %s is empty or has characters that no token has", ErrBadToken, where)
		}
		if ok && t != token {
			return fmt.Errorf("%w: there are two and they differ: send one, in the Authorization header, as a subprotocol %sTOKEN or as ?%s=TOKEN", ErrRequest, offerPrefix, queryKey)
		}
		token, ok = t, true
		return nil
	}
	for _, h := range r.Header["Authorization"] {
		scheme, rest, _ := strings.Cut(strings.TrimLeft(h, " \t"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if err := add(strings.Trim(rest, " \t"), "Authorization header"); err != nil {
			return "", false, err
		}
	}
	for _, h := range r.Header["Sec-Websocket-Protocol"] {
		if !strings.Contains(h, offerPrefix) {
			continue
		}
		for offer := range strings.SplitSeq(h, ",") {
			if t, bears := strings.CutPrefix(strings.Trim(offer, " \t"), offerPrefix); bears {
				if err := add(t, "subprotocol"); err != nil {
					return "", false, err
				}
			}
		}
	}
	if r.URL == nil || r.URL.RawQuery == "" {
		return token, ok, nil
	}
	// url.URL.Query would drop what it cannot parse, and with it perhaps the
	// token: the caller would be taken for someone without one. The error of
	// ParseQuery quotes the input, so it is not passed on.
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", false, fmt.Errorf("%w: the query has a \";\" or a \"%%\" that is not part of an escape", ErrRequest)
	}
	for _, t := range query[queryKey] {
		if err := add(t, "query"); err != nil {
			return "", false, err
		}
	}
	return token, ok, nil
}

// isB64token checks the b64token of RFC 6750, section 2.1.
func isB64token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
