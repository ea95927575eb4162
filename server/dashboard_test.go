package server

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgechat/internal/edgetest"
)

// TestDashboard: each query of docs/grafana/edgechat.json is one that Prometheus understands, has an answer with what
// a server says, and asks for nothing that a server does not say. promtool runs them, on the samples of a scrape that grow for an hour.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile("../docs/grafana/edgechat.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil || len(dashboard.Panels) < 10 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	s := start(t, Config{Version: "v9"})
	c := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	c.Text(`{"type":"message","content":"hello","idempotency_key":"k"}`)
	c.JSONOf("ack")
	text := scrape(t, s)

	type value = map[string]any
	var series, exprs []value
	for line := range strings.Lines(text) {
		if sample := regexp.MustCompile(`^(\w+)(\{(.*)\})? (\S+)\n$`).FindStringSubmatch(line); sample != nil {
			series = append(series, value{"series": strings.ReplaceAll(sample[1]+"{"+sample[3]+`,instance="pi:3000"}`, "{,", "{"), "values": "0+1x60"})
		}
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			expr := strings.ReplaceAll(target.Expr, "$instance", ".*")
			if strings.Contains(expr, "$") {
				t.Errorf("panel %q: %s has a variable that is not filled in here", p.Title, expr)
			}
			for _, name := range regexp.MustCompile(`edgechat_\w+`).FindAllString(expr, -1) {
				if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(text) {
					t.Errorf("panel %q asks for %s, which is not there", p.Title, name)
				}
			}
			// absent of what has an answer is nothing.
			exprs = append(exprs, value{"expr": "absent(" + expr + ")", "eval_time": "1h", "exp_samples": []value{}})
		}
	}
	// And of what has none it is something: else this could not fail.
	exprs = append(exprs, value{"expr": `absent(edgechat_nonsense)`, "eval_time": "1h", "exp_samples": []value{{"labels": "{}", "value": 1}}})
	file := filepath.Join(t.TempDir(), "test.yml")
	tests, err := json.Marshal(value{"tests": []value{{"interval": "1m", "input_series": series, "promql_expr_test": exprs}}}) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, tests, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := promtool(t, "", "test", "rules", file); !strings.Contains(out, "SUCCESS") {
		t.Error(fmt.Sprint("promtool says: ", out))
	}
}
