package metrics

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestWriter(t *testing.T) {
	var h Histogram
	h.Observe(80 * time.Microsecond)
	h.Observe(100 * time.Microsecond) // the bound belongs to its bucket
	h.Observe(time.Minute)
	var b strings.Builder
	w := NewWriter(&b, "x_")
	w.Counter("messages_total", "Messages.\nOf all \\ kinds.")
	w.Sample(1 << 53)
	w.Gauge("open", "Open now.")
	w.Sample(1.5, "kind", "a\"b\\c\nd", "where", "")
	w.Sample(-2)
	w.Histogram("commit_seconds", "Commits.", h.Read())
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# HELP x_messages_total Messages.\\nOf all \\\\ kinds.\n# TYPE x_messages_total counter\nx_messages_total 9.007199254740992e+15\n",
		"# TYPE x_open gauge\nx_open{kind=\"a\\\"b\\\\c\\nd\",where=\"\"} 1.5\nx_open -2\n",
		"# TYPE x_commit_seconds histogram\nx_commit_seconds_bucket{le=\"5e-05\"} 0\nx_commit_seconds_bucket{le=\"0.0001\"} 2\n",
		"x_commit_seconds_bucket{le=\"10\"} 2\nx_commit_seconds_bucket{le=\"+Inf\"} 3\nx_commit_seconds_sum 60.00018\nx_commit_seconds_count 3\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWriterError(t *testing.T) {
	w := NewWriter(broken{}, "")
	for range 10_000 { // more than is buffered
		w.Counter("a_total", "A.")
	}
	if err := w.Flush(); !errors.Is(err, errBroken) {
		t.Errorf("Flush returned %v", err)
	}
}

func TestQuantile(t *testing.T) {
	var h Histogram
	if q := h.Read().Quantile(0.99); q != 0 {
		t.Errorf("of nothing: %v", q)
	}
	for range 98 {
		h.Observe(200 * time.Microsecond)
	}
	before := h.Read()
	h.Observe(40 * time.Millisecond)
	h.Observe(30 * time.Second)
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, 250 * time.Microsecond}, {0.5, 250 * time.Microsecond}, {0.98, 250 * time.Microsecond}, {0.99, 50 * time.Millisecond}, {1, 10 * time.Second}} {
		if got := h.Read().Quantile(c.q); got != c.want {
			t.Errorf("quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
	late := h.Read().Since(before)
	if late.Count() != 2 || late.Sum() != 30*time.Second+40*time.Millisecond || late.Quantile(0.5) != 50*time.Millisecond || late.Quantile(1) != late.Sum()/2 {
		t.Errorf("since: %d, %v, %v, %v", late.Count(), late.Sum(), late.Quantile(0.5), late.Quantile(1))
	}
}

// What stands in the way of a message allocates nothing.
func TestObserveAllocs(t *testing.T) {
	var h Histogram
	if n := testing.AllocsPerRun(1000, func() { h.Observe(time.Millisecond) }); n != 0 {
		t.Errorf("Observe allocates %v times", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	var h Histogram
	b.ReportAllocs()
	for b.Loop() {
		h.Observe(300 * time.Microsecond)
	}
}
