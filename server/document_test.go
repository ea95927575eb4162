package server

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMetricsDocument: docs/metrics.md has each metric that a server says, with its kind, its labels and their values; -update writes it. What other
// documents name is there.
func TestMetricsDocument(t *testing.T) {
	const path = "../docs/metrics.md"
	text := scrape(t, start(t, Config{}))
	var b bytes.Buffer
	b.WriteString("# Metrics\n\nAll that `/metrics` has, in the order in which it has them: made from what a server says by `go test ./server -run TestMetricsDocument -update`. Counters count from the\n" +
		"start. What to look at, and how to ask for them: [operations.md](operations.md#metrics).\n\n| metric | kind | labels | what it is |\n|---|---|---|---|\n")
	families := regexp.MustCompile(`(?m)^# HELP (\w+) (.*)\n# TYPE \w+ (\w+)\n((?:[^#].*\n)*)`).FindAllStringSubmatch(text, -1)
	known := map[string]bool{}
	for _, f := range families {
		name, help, kind, samples := f[1], f[2], f[3], f[4]
		known[name] = true
		var keys []string
		values := map[string][]string{}
		for _, l := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(samples, -1) {
			key, value := l[1], l[2]
			if key == "le" { // of a histogram
				continue
			}
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
			if name != "edgechat_build_info" && !slices.Contains(values[key], value) {
				values[key] = append(values[key], value)
			}
		}
		var labels []string
		for _, key := range keys {
			label := "`" + key + "`"
			if len(values[key]) > 0 {
				label += ": " + strings.Join(values[key], ", ")
			}
			labels = append(labels, label)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(labels, "; "), help)
	}
	if len(families) < 90 {
		t.Fatalf("%d metrics in\n%s", len(families), text)
	}
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("docs/metrics.md is not what a server says, %v: go test ./server -run TestMetricsDocument -update", err)
	}

	operations, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`edgechat_[a-z_]+[a-z]`).FindAllString(string(operations), -1) {
		if name := strings.TrimSuffix(strings.TrimSuffix(m, "_sum"), "_bucket"); !known[name] {
			t.Errorf("docs/operations.md names %s, which no server says", m)
		}
	}
	for _, l := range regexp.MustCompile(`edgechat_limited_total\{limit="(\w+)"\}`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(string(operations), "`"+l[1]+"`") {
			t.Errorf("docs/operations.md does not say what the limit %s is", l[1])
		}
	}
}
