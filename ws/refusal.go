package ws

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
)

// A Refusal is an error that says how a request is answered: a status, and a
// JSON body {"error":{"code":...,"message":...}}.
type Refusal struct {
	Status  int
	Code    string      // for programs
	Message string      // for people: what was wrong and how to mend it
	Header  http.Header // added to the answer; may be nil
}

// Refuse returns a Refusal without headers of its own.
func Refuse(status int, code, message string) *Refusal {
	return &Refusal{Status: status, Code: code, Message: message}
}

// With adds a header and returns r.
func (r *Refusal) With(key, value string) *Refusal {
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Add(key, value)
	return r
}

func (r *Refusal) Error() string { return strconv.Itoa(r.Status) + " " + r.Code + ": " + r.Message }

// refuse answers r with err. What is no Refusal is the server's own trouble: it is logged, and
// the client learns no more than that.
func (rt *Router) refuse(w http.ResponseWriter, r *Request, err error) {
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		rt.cfg.Logger.Error("request failed", "path", r.URL.Path, "addr", r.RemoteAddr, "err", err)
		refusal = Refuse(http.StatusInternalServerError, "internal", "the server failed on this request, see its log")
	}
	rt.stats.refused.Add(1)
	body, err := json.Marshal(map[string]any{"error": map[string]string{"code": refusal.Code, "message": refusal.Message}})
	if err != nil {
		panic(err) // a map of strings always encodes
	}
	h := w.Header()
	maps.Copy(h, refusal.Header)
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(refusal.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n')) // the peer is gone if it fails
	}
}
