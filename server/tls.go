package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"edgechat/admin"
	"edgechat/cert"
	"edgechat/refusal"
	"edgechat/trust"
	"edgechat/ws"
)

// certificateDays before its end a certificate is a warning.
const certificateDays = 21

// serveTLS serves where TLS is spoken, as Serve does where it is not.
func (s *Server) serveTLS(cancel context.CancelCauseFunc) {
	if len(s.secure) == 0 {
		return
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.pair.Get, NextProtos: []string{"http/1.1"}} // WebSockets are none of HTTP/2's
	for _, l := range s.secure {
		l = s.router.ListenTLS(l, cfg)
		s.entries = append(s.entries, l)
		s.accepting.Go(func() {
			cancel(fmt.Errorf("server: accept on %s: %w", l.Addr(), s.http.Serve(l)))
		})
	}
}

// portsOf returns the TCP ports of listeners.
func portsOf(ls []net.Listener) (ports []int) {
	for _, l := range ls {
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			ports = append(ports, tcp.Port)
		}
	}
	return ports
}

// trustRoutes adds what the page /trust asks for: how the certificate is, the authority above it, and a WebSocket
// that closes as soon as it is open, to see whether a browser opens it over TLS.
func (s *Server) trustRoutes() {
	page := trust.Handler(portsOf(s.secure))
	for _, path := range trust.Routes() {
		s.router.HTTP(http.MethodGet, path, func(w http.ResponseWriter, r *ws.Request) error {
			page.ServeHTTP(w, r.Request)
			return nil
		})
	}
	s.router.HTTP(http.MethodGet, "/trust/status", func(w http.ResponseWriter, _ *ws.Request) error {
		status, _ := s.certificate()
		answer := struct {
			Ports     []int      `json:"ports"`           // where TLS is spoken
			Authority bool       `json:"authority"`       // there is one to be trusted
			Names     []string   `json:"names"`           // that the certificate is for
			Until     *time.Time `json:"until,omitempty"` // when it ends
		}{Ports: append([]int{}, portsOf(s.secure)...), Names: append([]string{}, status.Names...)}
		if s.pair != nil {
			answer.Authority, answer.Until = s.pair.Root() != nil, &status.To
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(answer) // the peer is gone if it fails
		return nil
	})
	s.router.HTTP(http.MethodGet, "/trust/ca.crt", func(w http.ResponseWriter, _ *ws.Request) error {
		if s.pair == nil || s.pair.Root() == nil {
			return refusal.New(refusal.NotFound, "there is no authority of this server's own: \"edgechat ca init\" makes one, and --tls-cert names the certificate by it")
		}
		w.Header().Set("Content-Type", "application/x-x509-ca-cert") // with it phones offer to install what they get
		w.Header().Set("Content-Disposition", `attachment; filename="edgechat-ca.crt"`)
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(s.pair.Root())
		return nil
	})
	ws.React(s.router, ws.Route[struct{}]{Path: "/trust/test", MaxMessage: 1,
		Decode: func(bool, []byte) (struct{}, error) { return struct{}{}, nil },
		Open: func(*ws.Conn[struct{}]) (ws.Session[struct{}], error) {
			return nil, &ws.CloseError{Code: refusal.CloseNormal, Reason: "it works"}
		}})
}

// track is the http.Server's ConnState.
func (s *Server) track(c net.Conn, state http.ConnState) {
	if state == http.StateActive {
		s.router.TrackTLS(c)
	}
	s.requests.track(c, state)
}

// certificate returns how the certificate is, and the time until it ends; zero without one.
func (s *Server) certificate() (cert.Status, time.Duration) {
	if s.pair == nil {
		return cert.Status{}, 0
	}
	status := s.pair.Status()
	return status, time.Until(status.To)
}

func (s *Server) certificateProblems() (warnings []admin.Problem) {
	status, left := s.certificate()
	if s.pair == nil || left > certificateDays*24*time.Hour {
		return nil
	}
	what := fmt.Sprintf("the certificate %s ends on %s", status.Path, status.To.Format(time.DateOnly))
	if left < 0 {
		what = fmt.Sprintf("the certificate %s ended on %s: browsers refuse it", status.Path, status.To.Format(time.DateOnly))
	}
	return []admin.Problem{{Code: "certificate", Message: what, Hint: "renew it: edgechat ca renew, if it was made so; the server picks it up"}}
}
