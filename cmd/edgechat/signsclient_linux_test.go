package main

import (
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// clientSigns are those of clients that do what they may not, or too much, or too little.
func clientSigns() []sign {
	return []sign{
		{
			name: "descriptors run out",
			befall: func(t *testing.T) *shown {
				b := startShown(t, filepath.Join(t.TempDir(), "data"), "GOMAXPROCS=2", fewDescriptors+"=256")
				b.refresh = func() { // who says nothing is not kept for long
					for range 300 {
						conn, err := net.DialTimeout("tcp", b.addr, 10*time.Second)
						if err != nil {
							return
						}
						time.AfterFunc(20*time.Second, func() { conn.Close() })
					}
				}
				return b
			},
			log:     []string{`level=WARN msg="no descriptors for more connections`, `level=ERROR msg="something is wrong" code=descriptors`},
			page:    []string{`^state +degraded$`, `^PROBLEM: connections are refused: all descriptors but a reserve are in use$`, `^  to do: raise LimitNOFILE`, `^connections .* \d{2,} that have said nothing yet$`},
			metrics: []string{`^edgechat_turning_away 1$`, `^edgechat_connections_turned_away_total [1-9]`},
		},
		{
			name: "a slow client",
			befall: func(t *testing.T) *shown {
				b := startShown(t, filepath.Join(t.TempDir(), "data"), "EDGECHAT_WRITE_TIMEOUT=1s")
				slow := edgetest.Dial(t, "http://"+b.addr+"/chat/room/den", "Sec-WebSocket-Protocol: edgechat.v1.json")
				_ = slow.Conn.(*net.TCPConn).SetReadBuffer(4096) // and never reads
				b.refresh = func() {
					for range 100 {
						b.shout("den", strings.Repeat("x", 4000))
					}
				}
				return b
			},
			log:     []string{`level=WARN msg=closed code=1013 reason="too slow: .* addr=127.0.0.1:`, `level=WARN msg="something is wrong" code=slow`},
			page:    []string{` [1-9]\d* were closed as too slow$`, `^warning: [1-9]\d* connections were closed in the last minute since they took too little`},
			metrics: []string{`^edgechat_slow_consumers_total [1-9]`, `^edgechat_websockets_closed_total\{code="1013"\} [1-9]`},
		},
		{
			name: "a flood",
			befall: func(t *testing.T) *shown {
				b := startShown(t, filepath.Join(t.TempDir(), "data"), "EDGECHAT_RATE=10/30")
				b.refresh = func() { talk(t, b.board, "den", 500, 10, false) }
				return b
			},
			log:     []string{`level=WARN msg=closed code=1008 reason="rate_limited: .* addr=127.0.0.1:`, `level=WARN msg="something is wrong" code=flood`},
			page:    []string{`^refused .*frames: [1-9]\d* \(rate_limited [1-9]\d*\); by limits: .*messages [1-9]`, `^warning: clients ask for more than they may: [1-9]`},
			metrics: []string{`^edgechat_frames_rejected_total\{reason="rate_limited"\} [1-9]`, `^edgechat_limited_total\{limit="messages"\} [1-9]`},
		},
		{
			name: "a revoked token",
			befall: func(t *testing.T) *shown {
				tokens := filepath.Join(t.TempDir(), "tokens")
				token, err := auth.Create(tokens, auth.Grant{Name: "ann", Access: auth.Write})
				if err != nil {
					t.Fatal(err)
				}
				b := startShown(t, filepath.Join(t.TempDir(), "data"), "EDGECHAT_TOKENS="+tokens)
				if got := b.revoked(token); got != http.StatusOK {
					t.Fatalf("with the token: %d", got)
				}
				if err := auth.Revoke(tokens, "ann"); err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command("edgechat", "admin", "reload", "--admin", b.socket).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				for range 3 {
					if got := b.revoked(token); got != http.StatusUnauthorized {
						t.Errorf("with what was revoked: %d", got)
					}
				}
				for end := time.Now().Add(30 * time.Second); !b.log.Has("msg=refused") && time.Now().Before(end); { // the log has a queue
					time.Sleep(5 * time.Millisecond)
				}
				if n := strings.Count(b.log.String(), "msg=refused"); n != 1 || b.log.Has(token) {
					t.Errorf("told %d times:\n%s", n, b.log)
				}
				return b
			},
			log:     []string{`level=WARN msg=refused code=unauthorized addr=127.0.0.1:\d+ path=/chat/room/den/messages others=0`, `msg=admin act=reload by="uid`},
			page:    []string{`^refused +3 \(unauthorized 3\); `, `^access +who has a token may do what it allows, and nobody else anything$`},
			metrics: []string{`^edgechat_requests_refused_total\{reason="unauthorized"\} 3$`},
		},
	}
}
