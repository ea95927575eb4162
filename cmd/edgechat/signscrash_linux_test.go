package main

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

// crashSigns are those of ends of the process, the card and the power, and of messages that are displaced before they are written.
func crashSigns() []sign {
	crashed := func(fault, name string, befall func(t *testing.T) *shown) sign {
		return sign{
			fault: fault, name: name, befall: befall,
			log:     []string{`level=INFO msg="store opened" .*found=crash`},
			page:    []string{`^  found as +it was left by a crash or a power cut`, `^state +ok$`},
			metrics: []string{`^edgechat_store_start\{found="crash"\} 1$`, `^edgechat_uptime_seconds `},
		}
	}
	// The card may be another device when it is there again, as a stick is that was told apart by its number: then the files
	// are taken for a copy, which promises as much.
	cut := crashed("the power is cut: all, some or none of what was not flushed is there, sectors are torn", "power cut", func(t *testing.T) *shown {
		card := faultydisk.New(t, 64<<20)
		first := startShown(t, card.Dir+"/data")
		first.say("den", "x")
		card.SetAll(faultydisk.Fault{Err: syscall.EIO}) // what was not flushed will not be
		first.kill()
		card.Remount()
		return startShown(t, first.data)
	})
	cut.log = []string{`level=INFO msg="store opened" .*found=(crash|copy)`}
	cut.page[0] = `^  found as +(it was left by a crash or a power cut|a restored backup or a copy)`
	cut.metrics[0] = `^edgechat_store_start\{found="(crash|copy)"\} 1$`
	displaced := sign{
		log:     []string{`level=WARN msg="something is wrong" code=displaced`},
		page:    []string{`^warning: more is said than the card takes: in the last minute [1-9]`, `^  to do: raise --history`},
		metrics: []string{`^edgechat_store_messages_unwritten_total [1-9]`},
	}
	flooded := displaced
	flooded.fault, flooded.name = "killed while messages are displaced faster than the card writes them", "displaced"
	flooded.befall = func(t *testing.T) *shown {
		b, _ := displacing(t)
		return b
	}
	failed := sign{
		fault: "the log fails, or power is cut twice, while what displaced some messages is not written yet", name: "displaced, and the log fails",
		log:     append([]string{`level=ERROR msg="store degraded"`}, displaced.log...),
		page:    append([]string{`^PROBLEM: store: .*messages are in memory alone since`}, displaced.page...),
		metrics: append([]string{`^edgechat_store_degraded 1$`}, displaced.metrics...),
		befall: func(t *testing.T) *shown {
			b, card := displacing(t)
			card.Set(faultydisk.Write, faultydisk.Fault{Err: syscall.EIO})
			return b
		},
	}
	return []sign{
		crashed("the server is killed at any moment", "killed", func(t *testing.T) *shown {
			first := startShown(t, filepath.Join(t.TempDir(), "data"))
			first.say("den", "x")
			first.kill()
			return startShown(t, first.data)
		}),
		cut,
		flooded, failed,
		{
			fault: "checkpoints fail or hang while the log goes on, or is erased", name: "checkpoints fail",
			befall: func(t *testing.T) *shown {
				card := faultydisk.New(t, 64<<20)
				first := startBoard(t, card.Dir+"/data")
				first.say("old", "x")
				first.stop() // which makes one
				first = startBoard(t, card.Dir+"/data")
				first.say("old", filler(100)...)
				first.kill() // so that the next has to
				card.Settle()
				from, to := card.Where(filepath.Join(first.data, storeFile), 0)
				card.Set(faultydisk.Write, faultydisk.Fault{Err: syscall.EIO, From: from, To: to + 4096}) // both of its roots
				t.Cleanup(card.Mend)
				return startShown(t, first.data)
			},
			log:     []string{`level=ERROR msg="history not written"`, `level=WARN msg="something is wrong" code=store`},
			page:    []string{`^warning: store: .*the history cannot be written since`, `^state +ok$`},
			metrics: []string{`^edgechat_store_checkpoint_failures_total [1-9]`, `^edgechat_store_volatile 1$`, `^edgechat_store_degraded 0$`},
		},
		{
			fault: "one client says thousands of messages under keys on a late card", name: "many acks are owed",
			befall: func(t *testing.T) *shown {
				card := faultydisk.New(t, 64<<20)
				b := startShown(t, card.Dir+"/data", "EDGECHAT_HISTORY=100000")
				card.Set(faultydisk.Flush, faultydisk.Fault{Hang: true})
				t.Cleanup(card.Mend)
				talk(t, b.board, "den", 3000, 10, true)
				return b
			},
			log:     []string{`level=WARN msg="something is wrong" code=owed`},
			page:    []string{`^warning: acks come late: in the last minute clients were not read from [1-9]`, `^  to do: the card is slower than these clients`},
			metrics: []string{`^edgechat_ack_pauses_total [1-9]`, `^edgechat_acks_refused_total [1-9]`},
		},
		{
			fault: "power is cut during `edgechat restore` or `edgechat backup`", name: "a backup is cut short",
			befall: func(t *testing.T) *shown {
				b := startShown(t, filepath.Join(t.TempDir(), "data"), "EDGECHAT_HISTORY=10000")
				b.say("den", filler(2000)...)
				b.refresh = func() { // more is sent than a socket holds of it
					conn, err := net.Dial("unix", b.socket)
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					fmt.Fprint(conn, "GET /backup HTTP/1.1\r\nHost: admin\r\n\r\n")
					_, _ = bufio.NewReaderSize(conn, 16).ReadByte()
				}
				return b
			},
			log:     []string{`msg=admin act=backup .*err="`},
			page:    []string{`^  backups +none since the start, [1-9]\d* failed$`},
			metrics: []string{`^edgechat_backups_total\{made="false"\} [1-9]`, `^edgechat_backup_age_seconds -1$`},
		},
	}
}

// displacing is a server to which more is said than its card takes: large messages, of which a room keeps few.
func displacing(t *testing.T) (*shown, *faultydisk.Card) {
	t.Helper()
	card := faultydisk.New(t, 128<<20)
	b := startShown(t, card.Dir+"/data", "EDGECHAT_HISTORY=10")
	card.Set(faultydisk.Flush, faultydisk.Fault{Delay: 300 * time.Millisecond})
	t.Cleanup(card.Mend)
	n := 0
	b.refresh = func() { n++; talk(t, b.board, fmt.Sprint("room", n), 200, 3900, false) }
	return b, card
}

// talk says so much in a room, in the background, and reads what comes.
func talk(t *testing.T, b *board, room string, messages, bytes int, keys bool) {
	t.Helper()
	c := edgetest.Dial(t, "http://"+b.addr+"/chat/room/"+room+"?username=x", "Sec-WebSocket-Protocol: edgechat.v1.json")
	c.Timeout = 2 * time.Minute
	go func() { // until the connection is closed
		for {
			if _, _, err := c.Read(); err != nil {
				return
			}
		}
	}()
	go func() {
		for i := range messages {
			key := ""
			if keys {
				key = fmt.Sprintf(`,"idempotency_key":"%d"`, i)
			}
			text := fmt.Sprintf(`{"type":"message","content":"%d%s"%s}`, i, strings.Repeat("x", bytes), key)
			if _, err := c.Conn.Write(edgetest.Frame(edgetest.OpText, []byte(text))); err != nil {
				return
			}
		}
	}()
}
