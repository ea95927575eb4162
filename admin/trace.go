package admin

import (
	"net/http"
	"runtime/trace"
	"sync"
	"time"

	"edgechat/refusal"
)

// What the flight recorder keeps. It costs a percent or two of the processor and that much memory, so it
// runs only from when it is asked for.
const (
	traceAge   = 10 * time.Second
	traceBytes = 4 << 20
)

// A recorder is the flight recorder, while there is one.
type recorder struct {
	mu sync.Mutex
	fr *trace.FlightRecorder
}

func (h *handler) startTrace(w http.ResponseWriter, r *http.Request) *refusal.Error {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	if h.recorder.fr == nil {
		fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: traceAge, MaxBytes: traceBytes})
		if err := fr.Start(); err != nil {
			return refusal.Errorf(refusal.Unavailable, "%v", err)
		}
		h.recorder.fr = fr
		h.acted(r, "trace started")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) writeTrace(w http.ResponseWriter, _ *http.Request) *refusal.Error {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	if h.recorder.fr == nil {
		return refusal.New(refusal.NotFound, "the flight recorder does not run: start it with POST")
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = h.recorder.fr.WriteTo(w) // the peer is gone if it fails
	return nil
}

func (h *handler) stopTrace(w http.ResponseWriter, r *http.Request) *refusal.Error {
	if h.recorder.stop() {
		h.acted(r, "trace stopped")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// stop ends the recorder, and reports whether there was one.
func (r *recorder) stop() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.fr != nil
	if was {
		r.fr.Stop()
		r.fr = nil
	}
	return was
}
