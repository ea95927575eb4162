package admin

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"

	"edgechat/refusal"
)

// Profiles are those of net/http/pprof, in what "go tool pprof" asks for. That package itself would bring regexp, html and a parser of
// profiles into every server, 0.4 MB of it resident, and its handlers onto http.DefaultServeMux.
//
// maxProfile is how long a processor profile or a trace takes at most.
const maxProfile = 10 * time.Minute

// recorded are the profiles that run for a time, with how long if nobody says.
var recorded = map[string]time.Duration{"profile": 30 * time.Second, "trace": time.Second}

func (h *handler) profiles(w http.ResponseWriter, _ *http.Request) *refusal.Error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for name, length := range recorded {
		fmt.Fprintf(w, "%s?seconds=%v\n", name, length.Seconds()) // the peer is gone if it fails
	}
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(w, "%s %d\n", p.Name(), p.Count())
	}
	return nil
}

func (h *handler) profile(w http.ResponseWriter, r *http.Request) *refusal.Error {
	name, query := r.PathValue("name"), r.URL.Query()
	number := func(key string) (n int, refused *refusal.Error) {
		text := query.Get(key)
		if text == "" {
			return 0, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > int(maxProfile.Seconds()) {
			return 0, refusal.Errorf(refusal.InvalidQuery, "%s is %q: it must be a number from 0 to %v", key, text, maxProfile.Seconds())
		}
		return n, nil
	}
	seconds, refused := number("seconds")
	if refused != nil {
		return refused
	}
	if length, is := recorded[name]; is {
		if seconds > 0 {
			length = time.Duration(seconds) * time.Second
		}
		return record(w, r, name, length)
	}
	p := pprof.Lookup(name)
	if p == nil {
		return refusal.Errorf(refusal.NotFound, "there is no profile %q: GET /debug/pprof/ lists them", name)
	}
	if seconds > 0 {
		return refusal.Errorf(refusal.InvalidQuery, "seconds is for profile and trace: take %s twice, and compare with go tool pprof -base", name)
	}
	debug, refused := number("debug")
	if refused != nil {
		return refused
	}
	gc, refused := number("gc")
	if refused != nil {
		return refused
	}
	if name == "heap" && gc > 0 {
		runtime.GC()
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if debug > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	_ = p.WriteTo(w, debug) // the peer is gone if it fails
	return nil
}

// record writes a profile of what goes on until length has passed, or whoever asked has gone.
func record(w http.ResponseWriter, r *http.Request, name string, length time.Duration) *refusal.Error {
	start, stop := pprof.StartCPUProfile, pprof.StopCPUProfile
	if name == "trace" {
		start, stop = trace.Start, trace.Stop
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := start(w); err != nil {
		return refusal.Errorf(refusal.Unavailable, "%v", err)
	}
	defer stop()
	select {
	case <-time.After(length):
	case <-r.Context().Done():
	}
	return nil
}
