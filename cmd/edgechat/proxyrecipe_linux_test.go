package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// A proxyProgram is a proxy of docs/proxy.md that Debian has.
type proxyProgram struct {
	name    string // and the language of its recipe
	program string
	column  string // its name in the tables of the document
	ends    bool   // whether it ends connections that are silent
	// config returns the file around the recipe, and args how the program is started with that.
	config func(recipe, dir string) string
	args   func(file string) []string
}

const proxyPort = 8080

// proxyPrograms are run as nobody, in the foreground, on proxyPort.
var proxyPrograms = []proxyProgram{
	{"nginx", "nginx", "nginx", true, func(recipe, dir string) string {
		return fmt.Sprintf("daemon off;\npid %[1]s/pid;\nerror_log %[1]s/start;\nevents {}\nhttp {\naccess_log off;\n"+
			"client_body_temp_path %[1]s/a;\nproxy_temp_path %[1]s/b;\nfastcgi_temp_path %[1]s/c;\nuwsgi_temp_path %[1]s/d;\nscgi_temp_path %[1]s/e;\n%[2]s}\n",
			dir, strings.ReplaceAll(recipe, "listen 80;", fmt.Sprintf("listen %d;", proxyPort)))
	}, func(file string) []string { return []string{"-e", "stderr", "-c", file} }},
	{"caddy", "caddy", "Caddy", false, func(recipe, _ string) string {
		return regexp.MustCompile(`(?m)^(\w+\.example) \{`).ReplaceAllString(strings.Replace(recipe, "{", "{\n\tadmin off", 1), fmt.Sprintf("http://$1:%d {", proxyPort))
	}, func(file string) []string { return []string{"run", "--config", file, "--adapter", "caddyfile"} }},
	{"haproxy", "haproxy", "HAProxy", true, func(recipe, _ string) string {
		return "global\n\tlog stdout format raw local0\ndefaults\n\tlog global\n" + strings.ReplaceAll(recipe, "bind :80\n", fmt.Sprintf("bind :%d\n", proxyPort))
	}, func(file string) []string { return []string{"-db", "-f", file} }},
	{"apache", "apache2", "Apache", true, func(recipe, dir string) string {
		var modules strings.Builder
		for _, m := range []string{"mpm_event", "authz_core", "proxy", "proxy_http", "headers", "alias"} {
			fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
		}
		return fmt.Sprintf("ServerRoot %[1]s\nDefaultRuntimeDir %[1]s\nPidFile %[1]s/pid\nErrorLog %[1]s/start\nServerName localhost\nMutex posixsem\nTimeout %[2]d\nListen %[3]d\n%[4]s%[5]s",
			dir, proxySilence, proxyPort, modules.String(), strings.ReplaceAll(recipe, "*:80>", fmt.Sprintf("*:%d>", proxyPort)))
	}, func(file string) []string { return []string{"-f", file, "-DFOREGROUND"} }},
}

// recipe is what docs/proxy.md has for this proxy.
func (p proxyProgram) recipe(t *testing.T, document string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```" + p.name + "\n(.*?)```").FindStringSubmatch(document)
	if m == nil {
		t.Fatalf("docs/proxy.md has no recipe for %s", p.name)
	}
	return m[1]
}

// changed is the recipe with what the table of a section says to write in place of something else.
func (p proxyProgram) changed(t *testing.T, document, section, recipe string) string {
	t.Helper()
	_, text, found := strings.Cut(document, "\n### "+section+"\n")
	row := regexp.MustCompile("(?m)^\\| " + p.column + " \\| `(.*)` \\| `(.*)` \\|$").FindStringSubmatch(text)
	if !found || row == nil {
		t.Fatalf("docs/proxy.md, %q: no row for %s", section, p.column)
	}
	from, to := row[1], strings.ReplaceAll(row[2], `\|`, "|")
	if !strings.Contains(recipe, from) {
		t.Fatalf("docs/proxy.md, %q: the recipe for %s has no %q:\n%s", section, p.name, from, recipe)
	}
	return strings.ReplaceAll(recipe, from, to)
}

// proxySilence is for how long a proxy of the test waits on a silent connection, and docs/proxy.md has a minute.
const proxySilence = 8

// A runningProxy is one with its logs.
type runningProxy struct {
	t    *testing.T
	dir  string
	cmd  *exec.Cmd
	name string
}

// start runs the proxy with a recipe in a network, and returns once it takes connections. It ends with the test.
func (p proxyProgram) start(t *testing.T, in *edgetest.Net, dir, recipe string) *runningProxy {
	t.Helper()
	for _, change := range [][2]string{{"60s", fmt.Sprintf("%ds", proxySilence)}, {"timeout=60", fmt.Sprintf("timeout=%d", proxySilence)}} {
		recipe = strings.ReplaceAll(recipe, change[0], change[1])
	}
	recipe = regexp.MustCompile(`/var/log/\w+/`).ReplaceAllString(recipe, dir+"/log-")
	recipe = strings.ReplaceAll(recipe, "/run/edgechat/", dir+"/")
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(p.config(recipe, dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	output, err := os.Create(filepath.Join(dir, "log-output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	r := &runningProxy{t: t, dir: dir, cmd: exec.Command(p.program, p.args(file)...), name: p.name}
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.Dir = output, output, dir
	r.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Setpgid: true}
	in.Do(func() { err = r.cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		c, err := in.DialPort("192.0.2.99", proxyPort)
		if err == nil {
			c.Close()
			return r
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not start: %v\n%s", p.name, err, r.logs())
		}
	}
}

func (r *runningProxy) stop() {
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) // the group that it made, with its workers
	_ = r.cmd.Wait()
}

// logs are all that it has written anywhere.
func (r *runningProxy) logs() string {
	var all strings.Builder
	names, _ := filepath.Glob(r.dir + "/log-*") // the pattern is right
	for _, name := range append(names, r.dir+"/start") {
		if text, err := os.ReadFile(name); err == nil {
			fmt.Fprintf(&all, "%s:\n%s\n", name, text)
		}
	}
	return all.String()
}

const (
	nobody   = 65534
	patience = 30 * time.Second
)
