package server

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"runtime"
	runtimemetrics "runtime/metrics"
	"slices"
	"strings"
	"time"

	"edgechat/cert"
	"edgechat/metrics"
)

// A look is all that the families of one scrape are read from, taken once.
type look struct {
	Stats
	version, compiler        string
	uptime                   float64 // seconds
	requests                 int     // of HTTP that are being answered, and connections that carry them
	ready, warned            bool    // what Store.Ready and Store.Warning say
	disk                     uint64  // bytes, see kernelWritten
	resident                 uint64  // bytes
	mem                      memory
	goroutines               int
	descriptors, allowed     int
	dropped                  uint64 // lines of the log
	backups, failed          uint64
	certificate              float64 // seconds until it ends
	cert                     cert.Status
	cluster, clusterDegraded bool    // there is one; and it takes no messages
	sinceBackup              float64 // seconds; -1 if there was none
}

func (s *Server) look() *look {
	since, ok := s.sinceBackup()
	if !ok {
		since = -1
	}
	certificate, left := s.certificate()
	return &look{
		cert: certificate, certificate: left.Seconds(),
		cluster: s.cluster != nil, clusterDegraded: s.cluster != nil && s.cluster.Ready() != nil,
		Stats: s.Stats(), version: s.cfg.Version, compiler: runtime.Version(), uptime: time.Since(s.began).Seconds(), requests: s.requests.held(),
		ready: s.history().Ready() == nil, warned: s.history().Warning() != nil, disk: kernelWritten(), resident: residentBytes(), mem: readMemory(),
		goroutines: runtime.NumGoroutine(), descriptors: openDescriptors(), allowed: descriptorLimit(), dropped: s.logDropped(),
		backups: s.backups.made.Load(), failed: s.backups.failed.Load(), sinceBackup: since,
	}
}

// write writes each family. What its name ends in says what kind it is.
func (l *look) write(out io.Writer) error {
	w := metrics.NewWriter(out, "edgechat_")
	for _, f := range families {
		switch v := f.read(l).(type) {
		case metrics.Durations:
			w.Histogram(f.name, f.help, v)
		case []labelled:
			f.begin(w)
			for _, s := range v {
				w.Sample(number(s.value), s.labels...)
			}
		default:
			f.begin(w)
			w.Sample(number(v))
		}
	}
	return w.Flush()
}

func (f *family) begin(w *metrics.Writer) {
	if strings.HasSuffix(f.name, "_total") {
		w.Counter(f.name, f.help)
	} else {
		w.Gauge(f.name, f.help)
	}
}

// A labelled value is one sample of a family that has several.
type labelled struct {
	value  any
	labels []string // names and values in turn
}

// by returns a sample for each value of one label: pairs are these values and what they count, in turn.
func by(label string, pairs ...any) (list []labelled) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, labelled{pairs[i+1], []string{label, pairs[i].(string)}})
	}
	return list
}

// byKey is by for a map; text returns a key as the value of the label.
func byKey[K cmp.Ordered, N int | uint64](label string, counts map[K]N, text func(K) string) (list []labelled) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, labelled{counts[k], []string{label, text(k)}})
	}
	return list
}

// number returns what a Stats has as a metric has it.
func number(v any) float64 {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	panic(fmt.Sprintf("server: a metric of a %T", v)) // each scrape of each test would
}

func (s *Server) logDropped() uint64 {
	if s.cfg.LogDropped == nil {
		return 0
	}
	return s.cfg.LogDropped()
}

type memory struct{ heap, limit, cycles uint64 }

// readMemory asks Go's runtime, without stopping it as runtime.ReadMemStats would.
func readMemory() memory {
	samples := []runtimemetrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/gomemlimit:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	runtimemetrics.Read(samples)
	m := memory{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()}
	if m.limit >= 1<<62 {
		m.limit = 0
	}
	return m
}
