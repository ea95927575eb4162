package server

import (
	"encoding/json"
	"net/http"

	"edgechat/ws"
)

// health is the body of /healthz and /readyz.
type health struct {
	Status string `json:"status"`           // "ok", "degraded" or "draining"
	Reason string `json:"reason,omitempty"` // why it is not "ok"
	// What is wrong and keeps nobody from being served.
	Warnings []string `json:"warnings,omitempty"`
}

// healthz says that the process answers, no more: whoever restarts what fails
// here must not do so because a card is full.
func (s *Server) healthz(w http.ResponseWriter, _ *ws.Request) error {
	return writeHealth(w, http.StatusOK, health{Status: "ok"})
}

// readyz says whether new clients should come here. A degraded store still
// serves chat, from memory, so clients already here are not turned away.
func (s *Server) readyz(w http.ResponseWriter, _ *ws.Request) error {
	if s.draining.Load() {
		w.Header().Set("Retry-After", "5")
		return writeHealth(w, http.StatusServiceUnavailable, health{Status: "draining", Reason: "the server is stopping"})
	}
	if err := s.store.Ready(); err != nil {
		return writeHealth(w, http.StatusServiceUnavailable, health{Status: "degraded", Reason: err.Error()})
	}
	h := health{Status: "ok"}
	if err := s.store.Warning(); err != nil {
		h.Warnings = []string{err.Error()}
	}
	return writeHealth(w, http.StatusOK, h)
}

func writeHealth(w http.ResponseWriter, status int, h health) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(h) // the peer is gone if it fails; net/http sends no body for HEAD
	return nil
}
