package ws

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"

	"edgechat/limit"
	"edgechat/refusal"

	"github.com/julienschmidt/httprouter"
)

// A Request is the HTTP request of a route with its path parameters, its query
// and the values that guards added. On a WebSocket route it is valid until
// Open or Handle returns.
type Request struct {
	*http.Request
	params httprouter.Params
	query  url.Values
	values values

	subprotocol string // agreed on in the handshake

	peer   netip.Addr // of the connection
	client netip.Addr // see Client
	counts limit.Addr // and Source
}

// Param returns the path parameter name, decoded; "" if the route has none.
func (r *Request) Param(name string) string { return r.params.ByName(name) }

// Client returns the address from which the request comes: that of the peer, or what a trusted proxy says of its
// own. It is not valid for a unix socket without a proxy.
func (r *Request) Client() netip.Addr { return r.client }

// Source returns as what Client counts in limits by address.
func (r *Request) Source() limit.Addr { return r.counts }

// Query returns the query parameters. A query that cannot be parsed was
// refused with 400 before any guard ran.
func (r *Request) Query() url.Values { return r.query }

// Set adds a value for guards and the handler that come later. Keys are of a
// type of the caller's and not nil, as with context.WithValue.
func (r *Request) Set(key, v any) { r.values.set(key, v) }

// Value returns what Set stored under key, or nil.
func (r *Request) Value(key any) any {
	if v := r.values.find(key); v != nil {
		return v.value
	}
	return nil
}

// values are those that guards added. There are few, and so a request has room for them.
type values struct {
	few  [2]value
	more []value
}

// A value with no key is not there.
type value struct{ key, value any }

func (vs *values) find(key any) *value {
	for _, list := range [...][]value{vs.few[:], vs.more} {
		for i := range list {
			if list[i].key == key {
				return &list[i]
			}
		}
	}
	return nil
}

func (vs *values) set(key, v any) {
	if key == nil {
		panic("ws: Set with a nil key")
	}
	at := vs.find(key)
	if at == nil {
		at = vs.find(nil)
	}
	if at == nil {
		vs.more = append(vs.more, value{})
		at = &vs.more[len(vs.more)-1]
	}
	*at = value{key, v}
}

// detached returns r for a connection. What ends with net/http's handler is left out: its buffers,
// its body, its context. That of an arrival was read from a copy, without a body and for the connection alone.
func detached(w http.ResponseWriter, r *Request, subprotocol string) *Request {
	if _, ok := w.(elsewhere); ok {
		r.subprotocol = subprotocol
		return r
	}
	hr := r.Request
	return &Request{
		Request: &http.Request{
			Method: hr.Method, URL: hr.URL, Proto: hr.Proto, ProtoMajor: hr.ProtoMajor, ProtoMinor: hr.ProtoMinor,
			Header: hr.Header, Host: hr.Host, RemoteAddr: hr.RemoteAddr, RequestURI: hr.RequestURI, TLS: hr.TLS,
		},
		params: r.params, query: r.query, values: r.values, subprotocol: subprotocol, client: r.client, counts: r.counts,
	}
}

// A Guard decides before the upgrade, or before an HTTP handler, whether a
// request goes on. The error it returns is the answer: a [*refusal.Error] as it says,
// anything else 500. It may add values for those after it.
type Guard func(r *Request) error

// HTTP adds a plain HTTP route: guards, then h. The error of either is answered as a
// Guard's is; h returns one only if it has written nothing. GET takes HEAD along.
func (rt *Router) HTTP(method, path string, h func(w http.ResponseWriter, r *Request) error, guards ...Guard) {
	rt.handle(method, path, rt.route(false, guards, h))
}

func (rt *Router) handle(method, path string, handler httprouter.Handle) {
	rt.mux.Handle(method, path, handler)
	if method == http.MethodGet {
		rt.mux.Handle(http.MethodHead, path, handler)
	}
}

// elsewhere is an arrival's, of whose requests net/http knows nothing.
type elsewhere interface{ elsewhere() }

// route wraps h for httprouter: it parses the query, runs the guards, answers
// errors. Only React routes are served on an event loop.
func (rt *Router) route(react bool, guards []Guard, h func(http.ResponseWriter, *Request) error) httprouter.Handle {
	return func(w http.ResponseWriter, hr *http.Request, params httprouter.Params) {
		if a, ok := w.(elsewhere); ok && !react {
			a.elsewhere() // net/http's, to which the request goes as it came
			return
		}
		if hr.URL.RawPath != "" {
			hr, params = unescaped(hr, params)
		}
		r := &Request{Request: hr, params: params}
		peer, _ := netip.ParseAddrPort(hr.RemoteAddr) // a unix socket has none
		r.peer = peer.Addr()
		r.client, r.counts = rt.cfg.Proxies.Client(peer.Addr(), hr.Header)
		query, err := url.ParseQuery(hr.URL.RawQuery)
		if err != nil {
			rt.refuse(w, r, refusal.New(refusal.InvalidQuery, "the query has a \";\" or a \"%\" that is not part of an escape"))
			return
		}
		r.query = query
		done, err := rt.census.request(r)
		if err != nil {
			rt.refuse(w, r, err)
			return
		}
		defer done()
		if err := rt.serve(w, r, guards, h); err != nil {
			rt.refuse(w, r, err)
		}
	}
}

// refuse answers r with err. What is no refusal is the server's own trouble: it is logged, and
// the client learns no more than that.
func (rt *Router) refuse(w http.ResponseWriter, r *Request, err error) {
	answer, ok := errors.AsType[*refusal.Error](err)
	if !ok {
		rt.cfg.Logger.Error("request failed", "path", r.URL.Path, "addr", r.RemoteAddr, "err", err)
		answer = refusal.New(refusal.Internal, "the server failed on this request, see its log")
	}
	rt.stats.refused.Add(answer.Code)
	switch answer.Code {
	case refusal.Unauthorized, refusal.Forbidden, refusal.OriginNotAllowed, refusal.Misdirected, refusal.RateLimited, refusal.TooManyConnections:
		peer, _ := netip.ParseAddrPort(r.RemoteAddr) // as in route, which may not have come to it
		from, client := r.RemoteAddr, peer.Addr().Unmap()
		if ip, _ := rt.cfg.Proxies.Client(client, r.Header); ip != client { // a proxy's, which is not who did it
			from, client = ip.String(), ip
		}
		if others, ok := rt.rare.refused.now(client); ok {
			// The path alone: a query may hold a token.
			rt.cfg.Logger.Warn("refused", "code", string(answer.Code), "addr", from, "path", r.URL.Path, "others", others)
		}
	}
	answer.Answer(w, r.Request)
}

func (rt *Router) plain(h func(http.ResponseWriter, *Request) error) http.Handler {
	handler := rt.route(false, nil, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(w, r, nil) })
}

func (rt *Router) serve(w http.ResponseWriter, r *Request, guards []Guard, h func(http.ResponseWriter, *Request) error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p)
		}
		rt.stats.panics.Add(1)
		rt.cfg.Logger.Error("handler panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		err = errors.New("ws: handler panicked")
	}()
	for _, guard := range guards {
		if err := guard(r); err != nil {
			return err
		}
	}
	return h(w, r)
}
