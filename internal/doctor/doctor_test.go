package doctor

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// TestReport: a line for each finding, what programs said cannot command the terminal, and JSON has all of it.
func TestReport(t *testing.T) {
	findings := []Finding{
		{Check: "space", Seen: "12 GiB free"},
		{Check: "avahi", Severity: Warning, Seen: "process 7: \x1b[2Jrunning\nx", Means: "a <name>", Mend: "sudo a && b"},
		{Check: "wifi", Severity: Note, Seen: "wlan0 is Wi-Fi", Unseen: "iw is not installed"},
	}
	var text, js bytes.Buffer
	if err := WriteText(&text, findings); err != nil {
		t.Fatal(err)
	}
	want := "ok       space        12 GiB free\n" +
		"warning  avahi        process 7:  [2Jrunning x\n" +
		"                      a <name>\n" +
		"                      mend: sudo a && b\n" +
		"note     wifi         wlan0 is Wi-Fi; not looked at: iw is not installed\n" +
		"\nproblems: 0, warnings: 1, notes: 1, ok: 1\n"
	if text.String() != want {
		t.Errorf("%s\nnot\n%s", text.String(), want)
	}
	if err := WriteJSON(&js, findings); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Severity string
		Findings []map[string]string
	}
	if err := json.Unmarshal(js.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.Severity != "warning" || len(read.Findings) != 3 || read.Findings[1]["mend"] != "sudo a && b" || read.Findings[0]["severity"] != "ok" {
		t.Errorf("%s", js.String())
	}
	if err := WriteText(failing{}, findings); err != io.ErrShortWrite {
		t.Errorf("%v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWorst(t *testing.T) {
	if w := Worst(nil); w != OK {
		t.Error(w)
	}
	if w := Worst([]Finding{{Severity: Note}, {Severity: Problem}, {}}); w != Problem {
		t.Error(w)
	}
}

// TestEveryFindingHasEvidence looks at the machine that the test runs on.
func TestEveryFindingHasEvidence(t *testing.T) {
	findings := Examine(t.Context(), Board{Data: t.TempDir(), Ports: []int{1}})
	if len(findings) == 0 {
		t.Fatal("nothing was found")
	}
	for _, f := range findings {
		checkFinding(t, f)
	}
}

// checkFinding: no claim without evidence, and none that hurts without what it means and what to do.
func checkFinding(t *testing.T, f Finding) {
	t.Helper()
	if f.Check == "" || f.Seen == "" && f.Unseen == "" {
		t.Errorf("without evidence: %+v", f)
	}
	if f.Severity >= Warning && (f.Means == "" || f.Mend == "" || f.Seen == "") {
		t.Errorf("a %s without evidence, meaning or what mends it: %+v", f.Severity, f)
	}
	if f.Unseen != "" && f.Severity == OK {
		t.Errorf("ok, and not looked at: %+v", f)
	}
	if strings.Contains(f.Seen+f.Means+f.Mend+f.Unseen, "%!") {
		t.Errorf("%+v", f)
	}
}
