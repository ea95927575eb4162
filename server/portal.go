package server

import (
	"net/http"
	"net/netip"

	"edgechat/browser"
	"edgechat/captive"
	"edgechat/limit"
	"edgechat/ws"
)

// openPortal makes the portal, if there is to be one.
func (s *Server) openPortal(proxies limit.Proxies) (err error) {
	if !s.cfg.Captive {
		return nil
	}
	cfg := s.cfg.Portal
	cfg.BasePath = s.cfg.BasePath
	cfg.Client = func(r *http.Request) netip.Addr {
		peer, _ := netip.ParseAddrPort(r.RemoteAddr) // a unix socket has none
		ip, _ := proxies.Client(peer.Addr(), r.Header)
		return ip
	}
	s.portal, err = captive.New(cfg)
	return err
}

// gate is what each request passes first: only those under a name of the server, from pages that may, are told to the portal.
func (s *Server) gate(policy *browser.Policy) func(http.ResponseWriter, *http.Request) error {
	if s.portal == nil {
		return policy.Check
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		err := policy.Check(w, r)
		if err == nil {
			s.portal.Note(r)
		}
		return err
	}
}

// handler is what net/http calls. WebSockets that are taken before it are none of the portal's.
func (s *Server) handler() http.Handler {
	if s.portal == nil {
		return s.router
	}
	return s.portal.Wrap(s.router)
}

// portalRoutes adds what DHCP can tell of (RFC 8910).
func (s *Server) portalRoutes() {
	if s.portal == nil {
		return
	}
	s.router.HTTP(http.MethodGet, "/captive", func(w http.ResponseWriter, r *ws.Request) error {
		s.portal.API(w, r.Request)
		return nil
	})
}
