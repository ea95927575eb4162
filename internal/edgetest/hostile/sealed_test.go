package hostile

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

var eachSealed = flag.Bool("eachsealed", false, "measure each thing that a client does over TLS by itself")

// TestSealed: who floods over TLS, with frames or with what is TLS's own, holds up nobody, over TLS or without: all of them at once, or,
// with -eachsealed, one after the other.
func TestSealed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tls")
	if out, err := exec.Command(*program, "ca", "init", "--folder", folder, "--name", "board.local").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	serveSealed := func() (*Server, string) {
		s := serve(t, "EDGECHAT_TLS_LISTEN=127.0.0.1:0", "EDGECHAT_TLS_CERT="+filepath.Join(folder, "server.crt"), "EDGECHAT_TLS_KEY="+filepath.Join(folder, "server.key"))
		return s, s.await(`msg=listening addr=(127\.0\.0\.1:\d+) url=https:`)
	}
	run := func(t *testing.T, of string) {
		measureOn(t, serveSealed, func(s *Server, sealed string) (end func() string) {
			c := Start(t, Task{Sealed: &Sealed{Addr: sealed, Connections: 1, Of: of}})
			return func() string {
				var did SealedDid
				c.End(&did)
				return fmt.Sprint("done: ", did)
			}
		})
	}
	if !*eachSealed {
		run(t, "")
		return
	}
	for _, kind := range SealedKinds {
		t.Run(kind, func(t *testing.T) { run(t, kind) })
	}
}
