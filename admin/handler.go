package admin

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"edgechat/metrics"
	"edgechat/names"
	"edgechat/refusal"
)

// maxWatch is how long rooms are watched at most.
const maxWatch = 10 * time.Second

// A handler serves the socket.
type handler struct {
	cfg      Config
	mux      *http.ServeMux
	recorder recorder
	backup   atomic.Bool // one is under way: a second would take its memory and time twice
}

func newHandler(cfg Config) *handler {
	h := &handler{cfg: cfg, mux: http.NewServeMux()}
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request) *refusal.Error{
		"GET /status":          h.status,
		"GET /rooms":           h.rooms,
		"GET /rooms/{name}":    h.room,
		"GET /metrics":         h.metrics,
		"GET /backup":          h.serveBackup,
		"PUT /log-level":       h.setLevel,
		"POST /reload":         h.reload,
		"GET /debug/pprof/{$}": h.profiles, "GET /debug/pprof/{name}": h.profile,
		"POST /moderation":  h.moderate,
		"GET /moderation":   h.rules,
		"POST /debug/trace": h.startTrace, "GET /debug/trace": h.writeTrace, "DELETE /debug/trace": h.stopTrace,
		"/": func(http.ResponseWriter, *http.Request) *refusal.Error {
			return refusal.New(refusal.NotFound, "there is nothing at this path, or it takes another method: see docs/operations.md")
		},
	} {
		h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := serve(w, r); err != nil {
				err.Answer(w, r)
			}
		})
	}
	return h
}

// acted logs that somebody has the server do something.
func (h *handler) acted(r *http.Request, act string, more ...any) {
	h.cfg.Logger.Info("admin", append([]any{"act", act, "by", credentialsOf(r.Context())}, more...)...)
}

func answer(w http.ResponseWriter, v any) *refusal.Error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the peer is gone if it fails
	return nil
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request) *refusal.Error {
	return answer(w, h.cfg.Backend.Status())
}

func (h *handler) rooms(w http.ResponseWriter, r *http.Request) *refusal.Error {
	watch := time.Second
	if text := r.URL.Query().Get("for"); text != "" {
		var err error
		if watch, err = time.ParseDuration(text); err != nil || watch < 0 || watch > maxWatch {
			return refusal.Errorf(refusal.InvalidQuery, "for is %q: it must be a time of up to %v, such as 1s", text, maxWatch)
		}
	}
	rooms, err := h.cfg.Backend.Rooms(r.Context(), watch)
	if err != nil {
		return nil // whoever asked has gone
	}
	return answer(w, rooms)
}

func (h *handler) room(w http.ResponseWriter, r *http.Request) *refusal.Error {
	name, err := names.Room(r.PathValue("name")) // in the form in which chat has it
	if err != nil {
		return refusal.New(refusal.InvalidRoom, err.Error())
	}
	room, ok := h.cfg.Backend.Room(name)
	if !ok {
		return refusal.Errorf(refusal.NotFound, "nobody is in room %q, and nothing is kept of it", name)
	}
	return answer(w, room)
}

func (h *handler) metrics(w http.ResponseWriter, _ *http.Request) *refusal.Error {
	w.Header().Set("Content-Type", metrics.ContentType)
	_ = h.cfg.Backend.WriteMetrics(w) // the peer is gone if it fails
	return nil
}

// serveBackup streams. What fails behind the beginning cuts the answer, so that it passes for no whole one.
func (h *handler) serveBackup(w http.ResponseWriter, r *http.Request) *refusal.Error {
	if !h.backup.CompareAndSwap(false, true) {
		return refusal.New(refusal.Unavailable, "another backup is under way: try again when it is done").With("Retry-After", "10")
	}
	defer h.backup.Store(false)
	began := time.Now()
	w.Header().Set("Content-Type", "application/octet-stream")
	counted := &counter{w: w}
	err := h.cfg.Backend.Backup(counted)
	h.acted(r, "backup", "bytes", counted.n, "took", time.Since(began).Round(time.Millisecond), "err", err)
	if err != nil && counted.n > 0 {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		return refusal.Errorf(refusal.Internal, "%v", err)
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (h *handler) setLevel(w http.ResponseWriter, r *http.Request) *refusal.Error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64))
	text := strings.TrimSpace(string(body))
	var level slog.Level
	switch text {
	case "debug", "info", "warn", "error":
		_ = level.UnmarshalText([]byte(text)) // these are its own
	default:
		return refusal.Errorf(refusal.InvalidMessage, "log level %q must be debug, info, warn or error", text)
	}
	if err != nil {
		return refusal.New(refusal.InvalidMessage, "the body could not be read")
	}
	before := h.cfg.Level.Level()
	h.cfg.Level.Set(min(before, slog.LevelInfo)) // so that the change is told
	h.acted(r, "log-level", "level", text, "before", levelName(before))
	h.cfg.Level.Set(level)
	return answer(w, Level{text, levelName(before)})
}

// levelName is a level as settings have it.
func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

func (h *handler) reload(w http.ResponseWriter, r *http.Request) *refusal.Error {
	h.acted(r, "reload")
	done, err := h.cfg.Backend.Reload()
	if err != nil {
		return refusal.Errorf(refusal.Internal, "nothing has changed: %v", err)
	}
	return answer(w, done)
}
