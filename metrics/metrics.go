// Package metrics writes counters in the text format of Prometheus, version 0.0.4, and counts
// durations for it.
//
// It keeps no counters: every part of the server has its own, and a scrape prints what they are
// then. So nothing is counted twice, and counting costs what it did.
// A library would add a second tally beside them: VictoriaMetrics/metrics is 450 KB of the
// binary for arm64, this is 100 lines.
//
// The one rule for callers: labels are values that the program knows, never what clients
// choose. A name of a room or a member as a label would let a stranger fill the
// memory of whoever scrapes.
package metrics

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// ContentType is the media type of what a Writer writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// A Writer writes families of metrics. A family is begun by Counter, Gauge or
// Histogram, each once, and what follows until the next are its samples. The first
// error is kept for Flush.
type Writer struct {
	w      *bufio.Writer
	prefix string
	family string
	num    []byte
}

// NewWriter returns a Writer to w whose names all begin with prefix.
func NewWriter(w io.Writer, prefix string) *Writer {
	return &Writer{w: bufio.NewWriter(w), prefix: prefix}
}

// Flush writes what is left, and returns the first error of all.
func (w *Writer) Flush() error { return w.w.Flush() }

func (w *Writer) begin(name, kind, help string) {
	w.family = w.prefix + name
	w.strings("# HELP ", w.family, " ", helpEscape.Replace(help), "\n# TYPE ", w.family, " ", kind, "\n")
}

// Counter begins a family that only grows; name ends in _total.
func (w *Writer) Counter(name, help string) { w.begin(name, "counter", help) }

// Gauge begins a family that goes up and down.
func (w *Writer) Gauge(name, help string) { w.begin(name, "gauge", help) }

// Sample writes a sample of the family that was begun last. labels are names and
// values in turn.
func (w *Writer) Sample(v float64, labels ...string) { w.sample("", v, labels) }

func (w *Writer) sample(suffix string, v float64, labels []string) {
	w.strings(w.family, suffix)
	for i := 0; i+1 < len(labels); i += 2 {
		open := ","
		if i == 0 {
			open = "{"
		}
		w.strings(open, labels[i], "=\"", labelEscape.Replace(labels[i+1]), "\"")
	}
	if len(labels) > 1 {
		w.strings("}")
	}
	w.num = append(strconv.AppendFloat(append(w.num[:0], ' '), v, 'g', -1, 64), '\n')
	_, _ = w.w.Write(w.num) // Flush has the error
}

// Histogram writes a family of durations, in seconds; name ends in _seconds.
func (w *Writer) Histogram(name, help string, d Durations) {
	w.begin(name, "histogram", help)
	seen := uint64(0)
	for i, c := range d.counts {
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(bounds[i].Seconds(), 'g', -1, 64)
		}
		seen += c
		w.sample("_bucket", float64(seen), []string{"le", le})
	}
	w.sample("_sum", d.sum.Seconds(), nil)
	w.sample("_count", float64(seen), nil)
}

func (w *Writer) strings(list ...string) {
	for _, s := range list {
		_, _ = w.w.WriteString(s) // Flush has the error
	}
}

var (
	helpEscape  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)
