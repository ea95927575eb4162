package server

import (
	"encoding/json"
	"net/http"

	"edgechat/admin"
	"edgechat/ws"
)

// health is the body of /healthz and /readyz.
type health struct {
	Status string `json:"status"`           // "ok", "degraded" or "draining"
	Reason string `json:"reason,omitempty"` // why it is not "ok"
	// What is wrong, each with what to do about it: what makes the status, and what keeps nobody from being served.
	Problems []admin.Problem `json:"problems,omitempty"`
	Warnings []admin.Problem `json:"warnings,omitempty"`
}

// healthz says that the process answers, no more: whoever restarts what fails
// here must not do so because a card is full.
func (s *Server) healthz(w http.ResponseWriter, _ *ws.Request) error {
	return writeHealth(w, http.StatusOK, health{Status: "ok"})
}

// readyz says whether new clients should come here. A degraded store still
// serves chat, from memory, so clients already here are not turned away.
func (s *Server) readyz(w http.ResponseWriter, _ *ws.Request) error {
	h := health{Status: "ok"}
	h.Problems, h.Warnings = s.problems()
	if len(h.Problems) == 0 {
		return writeHealth(w, http.StatusOK, h)
	}
	h.Status, h.Reason = "degraded", h.Problems[0].Message
	if h.Problems[0].Code == "draining" {
		h.Status = "draining"
		w.Header().Set("Retry-After", "5")
	}
	return writeHealth(w, http.StatusServiceUnavailable, h)
}

func writeHealth(w http.ResponseWriter, status int, h health) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(h) // the peer is gone if it fails; net/http sends no body for HEAD
	return nil
}
