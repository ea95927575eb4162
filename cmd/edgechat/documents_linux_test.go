package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The command of docs/pi.md that says what the service uses says it, the credential included.
func TestDocumentedConfig(t *testing.T) {
	text := documents(t)[filepath.Join("..", "..", "docs", "pi.md")]
	m := regexp.MustCompile(`(?m)^    sudo (xargs .*edgechat config.*)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("docs/pi.md has no command with edgechat config")
	}
	folder, data := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, credential), []byte("# none yet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := runServe(t, nil, "CREDENTIALS_DIRECTORY="+folder, "STATE_DIRECTORY="+data, "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_HISTORY=7", "GOMEMLIMIT=100MiB")
	p.await("msg=listening")
	// Where systemd would be asked for the process, this one is named.
	asked := strings.Replace(m[1], "$(systemctl show -p MainPID --value edgechat)", "$PID", 1)
	out, err := exec.Command("sh", "-c", fmt.Sprintf("PID=%d; %s", p.cmd.Process.Pid, asked)).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", asked, err, out)
	}
	for _, want := range []string{
		`tokens +` + regexp.QuoteMeta(filepath.Join(folder, credential)) + ` +credential tokens`,
		`anonymous +none +default, with --tokens`,
		`data +` + regexp.QuoteMeta(data) + ` +environment STATE_DIRECTORY`,
		`history +7 +environment EDGECHAT_HISTORY`,
		`GOMEMLIMIT +100MiB +environment GOMEMLIMIT`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).Match(out) {
			t.Errorf("%s prints\n%s\nwithout %s", asked, out, want)
		}
	}
}
