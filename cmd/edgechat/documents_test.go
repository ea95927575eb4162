package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents returns what people read before they type a command, by name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "systemd/edgechat.*", "packaging/post*"} {
		names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
	}
	return texts
}

// Each command, flag and variable that a document tells of is there, flags with the command
// that they are shown with.
func TestDocumentedCommands(t *testing.T) {
	flags := map[string][]string{} // by command
	var all, variables []string
	for _, c := range commands() {
		flags[c.name] = nil // one that has others, too
	}
	for _, c := range everyCommand() {
		flags[c.name] = nil
		for _, s := range c.table(noEnv) {
			flags[c.name] = append(flags[c.name], s.Name)
			all = append(all, s.Name)
			if s.Env() != "" {
				variables = append(variables, s.Env())
			}
		}
	}
	flag := regexp.MustCompile(`--([a-z][a-z-]*)`)
	seen := 0
	for name, text := range documents(t) {
		for _, m := range regexp.MustCompile("(?m)(?:^    |sudo |`|'|\\./|bin/)edgechat ([a-z]+(?: [a-z-]+)?)([^`'#\n]*)").FindAllStringSubmatch(text, -1) {
			known, ok := flags[m[1]]
			if !ok { // the second word is an argument, unless the first has commands of its own
				m[1], _, _ = strings.Cut(m[1], " ")
				known, ok = flags[m[1]]
			}
			if !ok {
				t.Errorf("%s: there is no command %q", name, "edgechat "+m[1])
			}
			for _, f := range flag.FindAllStringSubmatch(m[2], -1) {
				seen++
				if !slices.Contains(known, f[1]) {
					t.Errorf("%s: edgechat %s has no flag --%s", name, m[1], f[1])
				}
			}
		}
		for _, m := range regexp.MustCompile("`--([a-z][a-z-]*)").FindAllStringSubmatch(text, -1) {
			if !slices.Contains(all, m[1]) {
				t.Errorf("%s: no command has a flag --%s", name, m[1])
			}
		}
		for _, v := range regexp.MustCompile(`EDGECHAT_[A-Z_]+`).FindAllString(text, -1) {
			if !slices.Contains(variables, v) {
				t.Errorf("%s: nothing reads %s", name, v)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d flags were found in the documents: is it still looked for as they are written?", seen)
	}
}

// A purge takes what docs/pi.md has people make, besides the configuration files, which dpkg takes.
func TestPurge(t *testing.T) {
	texts := documents(t)
	purged := texts[filepath.Join("..", "..", "packaging", "postrm")]
	nfpm, err := os.ReadFile("../../packaging/nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile(`/(?:etc|var)/[a-z/.]*edgechat[a-z/.]*`).FindAllString(texts[filepath.Join("..", "..", "docs", "pi.md")], -1)
	if len(paths) < 5 {
		t.Errorf("docs/pi.md names %q alone", paths)
	}
	paths = append(paths, regexp.MustCompile(`/etc/[A-Za-z/.-]*edgechat[a-z0-9/.]*`).FindAllString(texts[filepath.Join("..", "..", "docs", "hotspot.md")], -1)...)
	for _, path := range paths {
		path = strings.TrimRight(path, ".")
		folder := strings.HasPrefix(path, "/var/lib/edgechat/") && strings.Contains(purged, "rm -rf /var/lib/edgechat ")
		folder = folder || strings.HasPrefix(path, "/etc/systemd/system/edgechat.socket.d/") && strings.Contains(purged, " /etc/systemd/system/edgechat.socket.d ")
		conffile := strings.Contains(string(nfpm), "dst: "+path+"\n    type: config\n")
		if !folder && !conffile && !regexp.MustCompile(`rm -r?f[^\n]* `+regexp.QuoteMeta(path)+`[ \n]`).MatchString(purged) {
			t.Errorf("docs/pi.md names %s, and packaging/postrm leaves it", path)
		}
	}
}
