package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"edgechat/internal/edgetest"
)

var mustRun = flag.String("proxies", "", "TestProxies: names of those that must be there, else those that are")

// TestProxies runs the recipes of docs/proxy.md, with the changes that it tells of and without, and looks for what it
// says of them. Each proxy has a network of its own, in which clients have addresses.
//
//	make test PART=proxy
func TestProxies(t *testing.T) {
	if edgetest.Race || testing.Short() {
		t.Skip("the race detector sees into no proxy, and PART=proxy runs it without")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "proxy.md"))
	if err != nil {
		t.Fatal(err)
	}
	document := string(text)
	for _, p := range proxyPrograms {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(p.program); err != nil {
				if strings.Contains(" "+*mustRun+" ", " "+p.name+" ") {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			recipe := p.recipe(t, document)
			t.Run("path taken away", func(t *testing.T) {
				b := behind(t, p, recipe, "--listen", "127.0.0.1:3000", "--ping-interval", heartbeat.String(), "--history", strconv.Itoa(kept), "--rate", "0")
				b.restart()
				var idle sync.WaitGroup
				idle.Go(b.survives)
				b.served()
				b.streams("http://chat.example/")
				b.streams("http://home.example/talk/")
				b.origins()
				idle.Wait()
			})
			t.Run("path passed on, unix socket", func(t *testing.T) {
				recipe := p.changed(t, document, "A unix socket", p.changed(t, document, "Below a path", recipe))
				b := behind(t, p, recipe, "--listen", "unix:FOLDER/http.sock", "--socket-mode", "0666", "--base-path", "/talk", "--ping-interval", "10m")
				b.restart()
				idle := b.join("192.0.2.20", "http://chat.example/", "idle", "Idle")
				b.served()
				if p.ends { // what the pings are for
					b.cut(idle)
				}
			})
		})
	}
}
