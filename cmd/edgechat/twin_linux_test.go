package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestTwin runs what docs/from-justscale.md has: the four lines of its client, in Chromium, against its program and against the
// server; and the program as it says that the framework's does.
func TestTwin(t *testing.T) {
	if !*clients {
		t.Skip("make test PART=clients runs it")
	}
	text := documents(t)[filepath.Join("..", "..", "docs", "from-justscale.md")]
	block := func(language string) string {
		m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("docs/from-justscale.md has nothing in %s", language)
		}
		return m[1]
	}
	lines := block("js")
	if n := strings.Count(strings.TrimSpace(lines), "\n"); n != 3 {
		t.Errorf("the client has %d lines", n+1)
	}
	folder, root := t.TempDir(), filepath.Join("..", "..")
	twin := edgetest.FreeAddr(t)
	source, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "twin")
	if err := os.WriteFile(source, []byte(strings.ReplaceAll(block("go"), "localhost:3000", twin)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", source}, {"build", "-o", program, source}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = root // whose packages it imports
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args[0], err, out)
		}
	}
	errs := new(edgetest.Log)
	cmd := exec.Command(program)
	cmd.Dir, cmd.Stderr = folder, errs
	start(t, cmd, "TOKEN=secret")
	await(t, func() bool {
		c, err := net.Dial("tcp", twin)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, "the program does not start", errs)

	served := edgetest.FreeAddr(t)
	p := runServe(t, nil, "EDGECHAT_DATA="+t.TempDir(), "EDGECHAT_LISTEN="+served, "EDGECHAT_ALLOWED_ORIGINS=*")
	p.await("msg=listening addr=" + served)
	for _, c := range []struct{ name, addr, query string }{{"program", twin, "&token=secret"}, {"serve", served, ""}} {
		t.Run(c.name, func(t *testing.T) { testFourLines(t, lines, c.addr, c.query) })
	}

	t.Run("guard, validation, typing, left", func(t *testing.T) {
		refused := edgetest.TryDial(t, "http://"+twin+"/chat/room/den")
		if refused.Response.StatusCode != http.StatusUnauthorized {
			t.Errorf("without a token: %s", refused.Response.Status)
		}
		ann := edgetest.Dial(t, "http://"+twin+"/chat/room/den?username=ann&token=secret")
		bob := edgetest.Dial(t, "http://"+twin+"/chat/room/den?token=secret")
		if m := ann.JSONOf("joined"); m["username"] != "ann" && m["username"] != "Anonymous" {
			t.Error(m)
		}
		bob.Text(`{"type":"nonsense"}`)
		bob.Text(`{"type":"typing"}`)
		bob.Text(`{"type":"message","content":"hi"}`)
		if m := ann.JSONOf("typing"); m["username"] != "Anonymous" {
			t.Error(m)
		}
		for _, c := range []*edgetest.Client{ann, bob} { // the sender, too
			if m := c.JSONOf("message"); m["username"] != "Anonymous" || m["content"] != "hi" || m["timestamp"] == nil {
				t.Error(m)
			}
		}
		_ = bob.Conn.Close()
		if m := ann.JSONOf("left"); m["username"] != "Anonymous" {
			t.Error(m)
		}
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ends with %v\n%s", err, errs)
	}
}

// testFourLines runs the client in a browser: it hears itself join and speak.
func testFourLines(t *testing.T, lines, addr, query string) {
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("chromium is not installed")
	}
	var shown edgetest.Log
	page := "<!doctype html><script>\nconsole.log = (x) => fetch('/shown', { method: 'POST', body: JSON.stringify(x) + '\\n' });\n" +
		strings.NewReplacer("localhost:3000", addr, "username=Alice", "username=Alice"+query).Replace(lines) + "</script>"
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.Copy(&shown, r.Body)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, page)
	}))
	t.Cleanup(web.Close)
	start(t, exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", web.URL))
	for _, want := range []string{`"type":"joined","username":"Alice"`, `"type":"message","username":"Alice","content":"Hello everyone!"`} {
		for end := time.Now().Add(60 * time.Second); !shown.Has(want); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %s:\n%s", want, &shown)
			}
		}
	}
}
