package edgechat_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The example frames of docs/protocol.md are golden files, which the tests of codec compare
// with what it writes, and those of server with what a client receives: the document cannot
// fall behind.
func TestProtocolExamples(t *testing.T) {
	// Golden files that need no example: edge cases of the encoders.
	without := []string{"ack_not_durable", "error_without_key", "gap_empty", "members_empty", "message_unusual", "message_zero", "page_empty", "page_gap", "rooms_empty", "subscribed_empty", "welcome_unlimited"}

	golden := map[string]string{} // by content
	var names []string
	for _, folder := range []string{"codec", "server"} {
		more, err := filepath.Glob(folder + "/testdata/golden/*.json")
		if err != nil || len(more) == 0 {
			t.Fatalf("no golden files of %s: %v", folder, err)
		}
		names = append(names, more...)
	}
	for _, name := range names {
		golden[strings.TrimSpace(read(t, name))] = strings.TrimSuffix(filepath.Base(name), ".json")
	}
	var shown []string
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(read(t, "docs/protocol.md"), -1) {
		for line := range strings.SplitSeq(strings.TrimSpace(block[1]), "\n") {
			if golden[line] == "" {
				t.Errorf("docs/protocol.md has an example that is no golden file:\n%s", line)
			}
			shown = append(shown, golden[line])
		}
	}
	for _, name := range golden {
		if !slices.Contains(shown, name) && !slices.Contains(without, name) {
			t.Errorf("docs/protocol.md does not show the golden file %s.json", name)
		}
	}
}

// What a document points to is there: files, and sections of this or another document.
func TestLinks(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, more...)
	for _, must := range []string{"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/protocol.md", "docs/settings.md"} {
		if !slices.Contains(documents, must) {
			t.Errorf("%s is missing", must)
		}
	}
	for _, document := range documents {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(read(t, document), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			name, section, _ := strings.Cut(link[1], "#")
			target := document
			if name != "" {
				target = filepath.Join(filepath.Dir(document), filepath.FromSlash(name))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", document, link[1], err)
			} else if section != "" && !slices.Contains(sections(read(t, target)), section) {
				t.Errorf("%s links to %s, and there is no such section", document, link[1])
			}
		}
	}
}

// Each target that a document tells to run is in the Makefile.
func TestMakeTargets(t *testing.T) {
	targets := regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(read(t, "Makefile"), -1)
	for _, document := range []string{"README.md", "CONTRIBUTING.md"} {
		for _, command := range regexp.MustCompile("(?m)(?:^    |`)make ([a-z0-9-]+)").FindAllStringSubmatch(read(t, document), -1) {
			if !slices.ContainsFunc(targets, func(target []string) bool { return target[1] == command[1] }) {
				t.Errorf("%s says make %s, and the Makefile has no such target", document, command[1])
			}
		}
	}
}

// Each test that docs/reliability.md names is there.
func TestReliabilityTests(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, "_test.go") {
			for _, f := range regexp.MustCompile(`(?m)^func (Test\w+)\(t `).FindAllStringSubmatch(read(t, name), -1) {
				tests[f[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Z]\\w*)`").FindAllStringSubmatch(read(t, "docs/reliability.md"), -1)
	if len(named) == 0 {
		t.Error("docs/reliability.md names no test")
	}
	for _, test := range named {
		if !tests[test[1]] {
			t.Errorf("docs/reliability.md names %s, and there is no such test", test[1])
		}
	}
}

// The README begins with what one types first, and names what make test installs.
func TestReadme(t *testing.T) {
	readme := read(t, "README.md")
	if commands := regexp.MustCompile("(?m)^    (.*?)(?: *#.*)?$").FindAllStringSubmatch(readme, 2); len(commands) < 2 ||
		commands[0][1] != "make run" || commands[1][1] != "make test" {
		t.Errorf("README.md begins with %q", commands)
	}

	packageOf := map[string]string{}
	for _, pair := range regexp.MustCompile(`\[([a-z0-9._-]+)\]=([a-z0-9-]+)`).FindAllStringSubmatch(read(t, "scripts/install"), -1) {
		packageOf[pair[1]] = pair[2]
	}
	if len(packageOf) == 0 {
		t.Fatal("scripts/install knows no package")
	}
	var packages []string
	test := read(t, "scripts/test")
	for program, name := range packageOf {
		if !regexp.MustCompile(`(?m)[ "]` + regexp.QuoteMeta(program) + `(?:[ ";)]|$)`).MatchString(test) {
			t.Errorf("scripts/install knows %s, which scripts/test does not use", program)
		}
		packages = append(packages, name)
	}
	slices.Sort(packages)
	want := strings.Join(slices.Compact(packages), ", ")
	list := regexp.MustCompile(`(?s)installs the Debian packages that it misses \(([^)]*)\)`).FindStringSubmatch(readme)
	if list == nil || strings.Join(strings.Fields(list[1]), " ") != want {
		t.Errorf("README.md says that make test installs %q, and scripts/test installs %s", list, want)
	}

	parts := regexp.MustCompile(`(?m)^all=\((.*)\)$`).FindStringSubmatch(test)
	if parts == nil || !strings.Contains(readme, "runs these alone: "+strings.ReplaceAll(parts[1], " ", ", ")+".") {
		t.Errorf("README.md does not name the parts of make test: %q", parts)
	}

	targets := regexp.MustCompile(`(?m)^all='(.*)'$`).FindStringSubmatch(read(t, "cross-build.sh"))
	if targets == nil {
		t.Fatal("cross-build.sh names no targets")
	}
	for target := range strings.FieldsSeq(targets[1]) {
		if !strings.Contains(strings.ToLower(readme), target) {
			t.Errorf("README.md does not say that make dist builds for %s", target)
		}
	}
}

// sections returns the anchors that a heading gets: lower case, no punctuation, hyphens for spaces.
func sections(markdown string) (anchors []string) {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(markdown, -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
	}
	return anchors
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
