package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteText writes findings for people: a line for each with its evidence, below it what it means and
// what mends it, and a last line that counts.
func WriteText(w io.Writer, findings []Finding) error {
	var b strings.Builder
	counts := make([]int, len(words))
	for _, f := range findings {
		counts[f.Severity]++
		seen := f.Seen
		if f.Unseen != "" {
			seen = strings.TrimPrefix(seen+"; not looked at: "+f.Unseen, "; ")
		}
		fmt.Fprintf(&b, "%-8s %-12s %s\n", f.Severity, f.Check, printable(seen))
		if f.Means != "" {
			fmt.Fprintf(&b, "%21s %s\n", "", printable(f.Means))
		}
		if f.Mend != "" {
			fmt.Fprintf(&b, "%21s mend: %s\n", "", printable(f.Mend))
		}
	}
	fmt.Fprintf(&b, "\nproblems: %d, warnings: %d, notes: %d, ok: %d\n", counts[Problem], counts[Warning], counts[Note], counts[OK])
	_, err := io.WriteString(w, b.String())
	return err
}

// printable keeps what programs and files said on one line, and a terminal from obeying it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// WriteJSON writes an object with the worst severity and all findings, for programs.
func WriteJSON(w io.Writer, findings []Finding) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Severity Severity  `json:"severity"`
		Findings []Finding `json:"findings"`
	}{Worst(findings), findings})
}
