package ws

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// ServeHTTP implements http.Handler. Routes are found by the escaped path: a "%2F" is a
// character of a name and separates nothing (RFC 3986 sections 2.2 and 3.3).
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A request in chunks may have had a length, too, which net/http does not tell, and one by HTTP/1.0 may have had chunks,
	// of which it does not know: somebody else, in front, may see another end of it. Nothing comes behind these (RFC 9112 section 6.1).
	if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
		w.Header().Set("Connection", "close")
	}
	if r.URL.Path == "" { // http://host (RFC 9110 section 4.2.3)
		r = withPath(r, "/")
	}
	if rt.cfg.Gate != nil {
		if err := rt.cfg.Gate(w, r); err != nil {
			rt.refuse(w, &Request{Request: r}, err)
			return
		}
	}
	if base := rt.cfg.BasePath; base != "" {
		if r.URL.Path == base { // links of a page are relative to its address
			w.Header().Set("Location", base+"/")
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
		r = below(r, base)
	}
	if r.URL.RawPath != "" { // else nothing in it needs an escape that means something
		r = escaped(r)
	}
	rt.mux.ServeHTTP(w, r)
}

// escaped returns r with a Path in which what is left of escapes are those of "/"
// and "%".
func escaped(r *http.Request) *http.Request {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err == nil { // net/http has refused what is none
			segments[i] = strings.NewReplacer("%", "%25", "/", "%2F").Replace(plain)
		}
	}
	return withPath(r, strings.Join(segments, "/"))
}

// below returns r with a path that does not begin with base.
func below(r *http.Request, base string) *http.Request {
	if !strings.HasPrefix(r.URL.EscapedPath(), base+"/") || !strings.HasPrefix(r.URL.Path, base+"/") {
		return r
	}
	changed := withPath(r, r.URL.Path[len(base):])
	changed.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, base)
	return changed
}

// unescaped undoes that, behind the router.
func unescaped(r *http.Request, params httprouter.Params) (*http.Request, httprouter.Params) {
	plain := make(httprouter.Params, len(params)) // httprouter keeps its own
	for i, p := range params {
		plain[i] = httprouter.Param{Key: p.Key, Value: unescape(p.Value)}
	}
	return withPath(r, unescape(r.URL.Path)), plain
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil { // it was escaped above
		return plain
	}
	return s
}

func withPath(r *http.Request, path string) *http.Request {
	u := *r.URL
	u.Path = path
	changed := new(http.Request)
	*changed = *r
	changed.URL = &u
	return changed
}
