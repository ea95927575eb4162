package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// typed are the documents whose lines of a shell and programs TestDocumentedLines runs; docs/clients.md is TestClients' own.
var typed = []string{"README.md", "docs/tls.md", "docs/devices.md", "docs/hotspot.md"}

// leftOut says by which rule a line is not run; "" if it is. Each line of a document that is set in by four spaces is one of a shell, or falls
// under a rule here.
func leftOut(line string) string {
	first, _, _ := strings.Cut(line, " ")
	switch {
	case first == "sudo":
		return "it needs a board and its root"
	case first == "ssh" || first == "scp":
		return "it needs a second machine"
	case first == "make":
		return "it builds or tests this tree"
	case strings.HasPrefix(line, "edgechat cluster "):
		return "it needs a cluster, and TestScripts/cluster runs it"
	case regexp.MustCompile(`^EDGECHAT_[A-Z_]+=\S*$`).MatchString(line):
		return "it is a setting, for /etc/default/edgechat"
	case regexp.MustCompile(`^(\[[A-Z]\w+\]|[A-Z]\w+=\S+)$`).MatchString(line):
		return "it is a line of a unit, for systemd"
	}
	return ""
}

// A program is what a document shows between fences.
type program struct{ language, text string }

// documentedLines returns the lines of a document that are set in, and its programs.
func documentedLines(text string) (lines []string, programs []program) {
	fence := regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```")
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		programs = append(programs, program{m[1], m[2]})
	}
	for _, m := range regexp.MustCompile(`(?m)^    (\S.*)$`).FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		lines = append(lines, m[1])
	}
	return lines, programs
}

// A reader types what a document shows, in a folder.
type reader struct {
	t            *testing.T
	folder, root string
	addr         string // of the server that is there
	env          []string
	filled       *strings.Replacer // what stands for something of the reader's
}

// TestDocumentedLines runs what the documents show, each line as it stands there but for addresses and names, one after the other; and says by which rule it
// leaves a line out.
func TestDocumentedLines(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range typed {
		lines, _ := documentedLines(documents(t)[filepath.Join("..", "..", filepath.FromSlash(name))])
		for _, line := range lines {
			if target, ok := strings.CutPrefix(line, "make "); ok && !regexp.MustCompile(`(?m)^`+strings.Fields(target)[0]+`:`).Match(makefile) {
				t.Errorf("%s: the Makefile has no target for %s", name, line)
			}
		}
	}
	lines, _ := documentedLines(documents(t)[filepath.Join("..", "..", "docs", "clients.md")])
	for _, line := range lines {
		if leftOut(line) == "" && !slices.Contains(snippets(t), snippet{"", line}) {
			t.Errorf("docs/clients.md: TestClients does not run %s", line)
		}
	}
	if !*clients {
		t.Skip("make test PART=clients runs it")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "admin.sock")
	env := []string{"EDGECHAT_DATA=" + t.TempDir(), "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_ADMIN=" + socket}
	for _, s := range new(options).limits() {
		if strings.HasSuffix(s.Name, "-rate") || strings.HasSuffix(s.Name, "-per-address") || s.Name == "rate" {
			env = append(env, s.Env()+"=0") // all that is run here comes from one address
		}
	}
	addr := runServe(t, nil, env...).await(`msg=listening addr=(127\.0\.0\.1:\d+)`)
	host, port, _ := net.SplitHostPort(addr)
	for _, name := range typed {
		lines, programs := documentedLines(documents(t)[filepath.Join("..", "..", filepath.FromSlash(name))])
		folder := t.TempDir()
		beside(t, folder, root, "devices")
		beside(t, folder, root, "devices/edgechat.py")
		writePublicKey(t, filepath.Join(folder, "key.pem"))
		if err := os.WriteFile(filepath.Join(folder, "wifi-password"), []byte("correct horse\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, ".curlrc"), []byte("fail\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := &reader{t: t, folder: folder, root: root, addr: addr,
			env: []string{"EDGECHAT_URL=http://" + addr, "CURL_HOME=" + folder, "EDGECHAT_ADMIN=" + socket},
			filled: strings.NewReplacer("pi.local:3000", addr, "pi.local 3000", host+" "+port, `"192.168.4.1", 3000`, fmt.Sprintf("%q, %s", host, port),
				"127.0.0.1:4000", "127.0.0.1:0", "/srv/chat", filepath.Join(folder, "chat"), "invite NAME", "invite Phone", "backup FILE", "backup copy.db")}
		ran := 0
		for _, line := range lines {
			if why := leftOut(line); why != "" {
				t.Logf("%s: %s: left out, %s", name, line, why)
				continue
			}
			ran++
			t.Run(name+" "+line, func(t *testing.T) { r.t = t; r.types(r.filled.Replace(line)) })
		}
		for _, p := range programs {
			switch p.language {
			case "c":
				t.Run(name+" C", func(t *testing.T) { r.t = t; r.compiles(p.text) })
			case "python":
				t.Run(name+" MicroPython", func(t *testing.T) { r.t = t; r.publishes(r.filled.Replace(p.text)) })
			case "js":
				t.Logf("%s: JavaScript: left out, test/e2e/plain.test.mjs runs it", name)
			default:
				t.Errorf("%s has a program in %s, which nothing runs", name, p.language)
			}
		}
		t.Logf("%s: %d lines of %d were run", name, ran, len(lines))
		if ran == 0 && name != "docs/tls.md" {
			t.Errorf("%s shows nothing that can be run", name)
		}
	}
}

// types runs a line and waits for its end, which is a good one; what goes on by itself is ended once it has shown that it works.
func (r *reader) types(line string) {
	r.t.Helper()
	if program := strings.Fields(line)[0]; program == "curl" || program == "gcc" {
		if _, err := exec.LookPath(program); err != nil {
			r.t.Skipf("%s is not installed", program)
		}
	}
	env := r.env
	serves := strings.HasPrefix(line, "edgechat serve")
	if serves {
		env = []string{"EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA=" + r.t.TempDir()}
	}
	if strings.HasPrefix(line, "edgechat bench") { // for as long as shows that these flags are taken
		line = strings.Replace(line, "  #", " --duration 100ms #", 1)
	}
	out := new(edgetest.Log)
	cmd := exec.Command("sh", "-c", "exec "+line)
	if strings.ContainsAny(line, "|&") {
		cmd = exec.Command("sh", "-c", line)
	}
	cmd.Dir, cmd.Env = r.folder, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 10 * time.Second
	if strings.HasPrefix(line, "edgechat join") {
		cmd.Stdin = strings.NewReader("hello\n/quit\n")
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // at the latest with the test
	r.t.Cleanup(func() { _ = cmd.Process.Kill() })
	live := strings.HasPrefix(line, "curl -N")
	if live || serves {
		await(r.t, func() bool {
			if live {
				say(r.t, r.addr, "live")
			}
			time.Sleep(20 * time.Millisecond)
			return live && out.Has(`"content":"live"`) || serves && out.Has("msg=listening")
		}, line+" shows nothing", out)
		if live {
			return
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			r.t.Fatal(err)
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			r.t.Errorf("%s: %v\n%s", line, err, out)
		}
	case <-time.After(60 * time.Second):
		r.t.Errorf("%s goes on\n%s", line, out)
	}
}

// compiles compiles a piece of C, with what it leaves to its reader declared beside the client.
func (r *reader) compiles(text string) {
	r.t.Helper()
	folder := r.t.TempDir()
	for name, text := range map[string]string{
		"sketch.c": text,
		"edgechat.c": fmt.Sprintf("#include %q\n", filepath.Join(r.root, "devices", "edgechat.c")) +
			"static const struct ec_net net;\nvoid show(const char *username, const char *content);\nint time_to_measure(void);\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	if out, err := exec.Command("gcc", "-std=c99", "-Wall", "-Wno-unused-function", "-Wno-empty-body", "-Werror", "-fsyntax-only", filepath.Join(folder, "sketch.c")).CombinedOutput(); err != nil {
		r.t.Errorf("%v\n%s", err, out)
	}
}

// publishes runs a program that says what it measures without end.
func (r *reader) publishes(text string) {
	r.t.Helper()
	said := regexp.MustCompile(`publish\("([^"]+)"\)`).FindStringSubmatch(text)
	if said == nil {
		r.t.Fatal("it publishes nothing")
	}
	if err := os.WriteFile(filepath.Join(r.folder, "sketch.py"), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	python := "/usr/bin/python3"
	if path, err := exec.LookPath("micropython"); err == nil {
		python = path
	}
	errs := new(edgetest.Log)
	cmd := exec.Command(python, "sketch.py")
	cmd.Dir, cmd.Stderr = r.folder, errs
	start(r.t, cmd)
	await(r.t, func() bool { return times(r.t, r.addr, said[1]) > 0 }, "nobody heard it", errs)
}

func writePublicKey(t *testing.T, path string) {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
