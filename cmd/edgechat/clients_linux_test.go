package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

var clients = flag.Bool("clients", false, "run the programs of docs/clients.md, those that are installed")

// A snippet is a program of docs/clients.md.
type snippet struct {
	language string // of its block; "" for a line of a shell
	text     string
}

// name says of which client it is: what it says is "hello from NAME".
func (s *snippet) name() string {
	if m := regexp.MustCompile(`hello from ([a-z ]+)`).FindStringSubmatch(s.text); m != nil {
		return m[1]
	}
	return ""
}

func snippets(t *testing.T) (list []snippet) {
	t.Helper()
	text := documents(t)[filepath.Join("..", "..", "docs", "clients.md")]
	for _, m := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(text, -1) {
		list = append(list, snippet{m[1], m[2]})
	}
	for _, m := range regexp.MustCompile(`(?m)^    ((?:curl|edgechat|mosquitto_|gcc ).*)$`).FindAllStringSubmatch(regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, ""), -1) {
		list = append(list, snippet{"", m[1]})
	}
	return list
}

// TestClients runs what docs/clients.md has, as it stands there but for the address: each program is heard
// once, and hears, before and after a restart of the server. What a program needs and is not installed is left out, which scripts/test names.
func TestClients(t *testing.T) {
	if !*clients {
		t.Skip("make test PART=clients runs it")
	}
	broker := mosquitto(t)
	var page atomic.Value
	var shown edgetest.Log // what the page showed
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.Copy(&shown, r.Body)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page.Load().(string))
	}))
	defer web.Close()
	addr := edgetest.FreeAddr(t)
	env := []string{"EDGECHAT_DATA=" + t.TempDir(), "EDGECHAT_LISTEN=" + addr, "EDGECHAT_ALLOWED_ORIGINS=" + web.URL,
		"EDGECHAT_HTTP_PER_ADDRESS=0", "EDGECHAT_RATE=0", "EDGECHAT_DRAIN_TIMEOUT=1s"}
	whole := t
	p := runServe(whole, nil, env...)
	p.await("msg=listening addr=" + addr)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var languages []string
	for i, s := range snippets(t) {
		languages = append(languages, s.language)
		host, port, _ := net.SplitHostPort(addr)
		text := strings.NewReplacer("pi.local:3000", addr, `"pi.local", 3000`, fmt.Sprintf("%q, %s", host, port), "pi.local 3000", host+" "+port).Replace(s.text)
		name := s.name()
		t.Run(fmt.Sprint(i, " ", s.language, name), func(t *testing.T) {
			folder := t.TempDir()
			file := func(name string) string {
				path := filepath.Join(folder, name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			need := func(program string) {
				if _, err := exec.LookPath(program); err != nil {
					t.Skipf("%s is not installed", program)
				}
			}
			var cmd *exec.Cmd
			seen, hears := new(edgetest.Log), true
			switch s.language {
			case "html":
				need("chromium")
				page.Store(text + `<script>setInterval(() => fetch('/shown', { method: 'POST', body: document.body.innerText }), 200)</script>`)
				seen = &shown
				cmd = exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+folder, "--remote-debugging-port=0", web.URL)
			case "js":
				need("node")
				cmd = exec.Command("node", file("client.mjs"))
			case "python":
				if strings.Contains(text, "from edgechat import") {
					file("client.py")
					beside(t, folder, root, "devices/edgechat.py")
					python := "/usr/bin/python3"
					if path, err := exec.LookPath("micropython"); err == nil {
						python = path
					}
					cmd = exec.Command(python, "client.py")
					cmd.Dir = folder
					cmd.Env = []string{"PYTHONUNBUFFERED=1"}
					break
				}
				module := regexp.MustCompile(`import (websockets|aiohttp)\b`).FindStringSubmatch(text)[1]
				if out, err := exec.Command("/usr/bin/python3", "-c", "import "+module).CombinedOutput(); err != nil {
					t.Skipf("python3-%s is not installed: %s", module, out)
				}
				cmd = exec.Command("/usr/bin/python3", file("client.py"))
			case "go":
				cmd = exec.Command("go", "run", file("main.go"))
				cmd.Dir = root // whose package it imports
			case "":
				need(strings.Fields(text)[0])
				if strings.Contains(text, "mosquitto") {
					testBridge(t, text, addr, broker)
					return
				}
				hears = strings.Contains(text, "join") || strings.Contains(text, "events")
				cmd = exec.Command("sh", "-c", text)
				if strings.HasPrefix(text, "gcc") {
					cmd.Dir = folder
					beside(t, folder, root, "devices")
				}
				in, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				defer w.Close() // nobody types
				cmd.Stdin = in
			default:
				t.Fatalf("nothing runs %s", s.language)
			}
			if s.language != "html" {
				cmd.Stdout = seen
			}
			errs := new(edgetest.Log)
			cmd.Stderr = errs
			start(t, cmd, "EDGECHAT_URL=http://"+addr)
			if name != "" {
				await(t, func() bool { return times(t, addr, "hello from "+name) == 1 }, "nobody heard it say hello", seen, errs)
			}
			hear := func(said string) {
				t.Helper()
				for n := 0; ; n++ { // it may not be in the room yet
					text := fmt.Sprint(said, " ", i, " ", n)
					say(t, addr, text)
					for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
						if seen.Has(text) {
							return
						}
					}
					if n == 60 {
						t.Fatalf("it did not hear %q:\n%s\n%s", text, seen, errs)
					}
				}
			}
			if hears {
				hear("before")
			}
			if hears && !strings.HasPrefix(s.text, "curl") {
				p.signal(syscall.SIGTERM)
				p.end()
				p = runServe(whole, nil, env...)
				p.await("msg=listening addr=" + addr)
				say(t, addr, "at once")
				hear("after")
				if !seen.Has("at once") {
					t.Errorf("it missed what was said before it was back:\n%s", seen)
				}
			}
			if name != "" && times(t, addr, "hello from "+name) != 1 {
				t.Errorf("it said hello %d times", times(t, addr, "hello from "+name))
			}
		})
	}
	for _, language := range []string{"", "html", "js", "python", "go"} {
		if !slices.Contains(languages, language) {
			t.Errorf("docs/clients.md has nothing in %q", language)
		}
	}
}

// beside puts what a program needs of this tree where it runs.
func beside(t *testing.T, folder, root, name string) {
	t.Helper()
	if err := os.Symlink(filepath.Join(root, name), filepath.Join(folder, filepath.Base(name))); err != nil {
		t.Fatal(err)
	}
}

// start runs cmd, with all that it starts, until the test ends.
func start(t *testing.T, cmd *exec.Cmd, env ...string) {
	t.Helper()
	cmd.Env = append(append(os.Environ(), cmd.Env...), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its group
		_ = cmd.Wait()
	})
}

func await(t *testing.T, done func() bool, what string, logs ...*edgetest.Log) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s:\n%v", what, logs)
		}
	}
}

// say publishes in den.
func say(t *testing.T, addr, content string) {
	t.Helper()
	resp, err := http.Post("http://"+addr+"/room/den?username=test", "text/plain", strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusTooManyRequests {
		t.Fatal(resp.Status)
	}
}

// times counts the messages in den that say this.
func times(t *testing.T, addr, content string) (n int) {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/chat/room/den/messages")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var x struct{ Messages []struct{ Content string } }
	if err := json.NewDecoder(resp.Body).Decode(&x); err != nil {
		t.Fatal(err)
	}
	for _, m := range x.Messages {
		if m.Content == content {
			n++
		}
	}
	return n
}
