package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"edgechat/admin"
)

// A sign is a fault, and what somebody finds who looks at a server from outside: regular expressions, each of which a line
// of the page of "edgechat admin status", of the log and of /metrics matches at once.
type sign struct {
	fault   string // as docs/reliability.md names it, up to a point; or none of it names it
	name    string // of the subtest
	befall  func(t *testing.T) *shown
	page    []string
	log     []string
	metrics []string
}

// A shown is a server to which something has happened. refresh, if set, has it happen once more, each time that it is looked for.
type shown struct {
	*board
	socket  string
	refresh func()
}

// signs are all that is told of faults, by the file that has them.
func signs() []sign {
	return slices.Concat(cardSigns(), fileSigns(), crashSigns(), eraseSigns(), clientSigns())
}

// startShown starts a server that can be asked how it is.
func startShown(t *testing.T, data string, env ...string) *shown {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	return &shown{board: startBoard(t, data, append([]string{"EDGECHAT_ADMIN=" + socket}, env...)...), socket: socket}
}

// TestSigns has faults befall servers, those of one family at once: whoever reads no more than the status, the log or the metrics finds
// out which it is.
func TestSigns(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for family, signs := range map[string][]sign{"cards": cardSigns(), "files": fileSigns(), "crashes": crashSigns(), "erasures": eraseSigns(), "clients": clientSigns()} {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			unseen := map[string]error{} // signs that are waited for, by name
			servers := make([]*shown, len(signs))
			for i := range signs {
				servers[i] = signs[i].befall(t)
				unseen[signs[i].name] = errors.New("not looked at")
			}
			for end := time.Now().Add(2 * time.Minute); len(unseen) > 0 && time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
				for i := range signs {
					s, b := &signs[i], servers[i]
					if unseen[s.name] == nil {
						continue
					}
					if b.refresh != nil {
						b.refresh()
					}
					if unseen[s.name] = b.look(s); unseen[s.name] == nil {
						delete(unseen, s.name)
					}
				}
			}
			for name, err := range unseen {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// look returns what is not seen of a sign.
func (b *shown) look(s *sign) error {
	if err := matches("log", b.log.String(), s.log); err != nil {
		return err
	}
	status, err := admin.NewClient(b.socket).Status(b.t.Context())
	if err != nil {
		return fmt.Errorf("admin status: %w", err)
	}
	var page strings.Builder
	if _, err := status.WriteTo(&page); err != nil { // which is what "edgechat admin status" prints
		return err
	}
	if err := matches("status", page.String(), s.page); err != nil {
		return err
	}
	metrics, err := overSocket(b.socket, "/metrics")
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return matches("metrics", metrics, s.metrics)
}

// overSocket asks a server at its admin socket, which answers also when nothing else does.
func overSocket(socket, path string) (string, error) {
	c := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	resp, err := c.Get("http://admin" + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

func matches(where, text string, expressions []string) error {
	for _, re := range expressions {
		if !regexp.MustCompile("(?m)" + re).MatchString(text) {
			return fmt.Errorf("%s: nothing matches %s in\n%s", where, re, text)
		}
	}
	return nil
}

// table returns the cells of the rows of the table of a document whose head begins so.
func table(t *testing.T, document, head string) (rows [][]string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(raw), "\n| "+head)
	if !ok {
		t.Fatalf("%s has no table %q", document, head)
	}
	for i, line := range strings.Split(text, "\n") {
		if i < 2 {
			continue
		}
		if !strings.HasPrefix(line, "| ") {
			break
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// TestSignsAreTold: each fault of docs/reliability.md has signs that TestSigns looks for, and docs/operations.md has, in one row
// each, what the log and the metrics say of it, what is wrong then, and what to do.
func TestSignsAreTold(t *testing.T) {
	all := signs()
	for _, row := range table(t, "reliability.md", "fault ") {
		if slices.Contains(unseen, row[0]) {
			continue
		}
		if !slices.ContainsFunc(all, func(s sign) bool { return s.fault == row[0] }) {
			t.Errorf("docs/reliability.md names a fault that nothing tells of: %s", row[0])
		}
	}
	rows := table(t, "operations.md", "sign ")
	if len(rows) < 10 {
		t.Errorf("docs/operations.md has %d rows of signs", len(rows))
	}
	faults := table(t, "reliability.md", "fault ")
	for _, s := range all {
		if s.fault != "" && !slices.ContainsFunc(faults, func(row []string) bool { return row[0] == s.fault }) {
			t.Errorf("%s: docs/reliability.md names no fault %q", s.name, s.fault)
		}
		if len(s.log) == 0 || len(s.page) == 0 || len(s.metrics) == 0 {
			t.Errorf("%s is told by %d lines of the log, %d of the status, %d of the metrics", s.name, len(s.log), len(s.page), len(s.metrics))
		}
		if err := documented(rows, &s); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

// unseen are faults of docs/reliability.md that no server sees.
var unseen = []string{
	"one after the other: writes fail, flushes fail, nothing can be read, the card is full, hangs, is late, vanishes, is replaced", // each is a row
	"the history has reached the most that its file may take",                                                                      // three times --history-bytes and 32 MiB: TestTrends of the server
	"`edgechat restore` where the history was deleted and its log was not",                                                         // the command says where the log is
	"`edgechat backup`, `restore`, `export` or `import` are killed",                                                                // nobody is there to see it
	"the server stops while messages of many rooms are displaced, or a message was passed over before it was written",              // a stop, and a start as after any
	"the file was written by a newer version",                                                                                      // the start is refused: TestSignOfNewer
}

var (
	metric = regexp.MustCompile(`edgechat_[a-z_]+`)
	said   = regexp.MustCompile(`(?:msg|code|act)=(?:"\(?([a-z][a-z ]*)|([a-z_]+))`)
)

// documented returns what of a sign no row has with all the rest.
func documented(rows [][]string, s *sign) error {
	var words []string
	for _, re := range s.metrics {
		words = append(words, metric.FindString(re))
	}
	for _, re := range s.log {
		for _, m := range said.FindAllStringSubmatch(re, -1) {
			if word := strings.TrimSpace(m[1] + m[2]); word != "something is wrong" { // that is said of all
				words = append(words, word)
			}
		}
	}
	if slices.Contains(words, "") {
		return errors.New("a metric without its name")
	}
	lacks := fmt.Errorf("docs/operations.md has no row with all of %q", words)
	for _, row := range rows {
		if len(row) != 3 || row[1] == "" || row[2] == "" {
			return fmt.Errorf("docs/operations.md: a row of signs has %d cells: %q", len(row), row)
		}
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(row[0], w) }) {
			return nil
		}
	}
	return lacks
}
