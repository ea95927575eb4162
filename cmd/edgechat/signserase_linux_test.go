package main

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

// eraseSigns are those of a power cut while what was deleted is still on the card: the next start takes it away.
func eraseSigns() []sign {
	// A start after a crash has the history get what the log has, and erases that then.
	erased := func(fault, name string, fails func(card *faultydisk.Card, data, log string, at int64), cut func(card *faultydisk.Card, b *board)) sign {
		return sign{
			fault: fault, name: name,
			befall: func(t *testing.T) *shown {
				card := faultydisk.New(t, 64<<20)
				t.Cleanup(card.Mend)
				b := startBoard(t, card.Dir+"/data")
				b.say("old", filler(100)...)
				b.stop() // which makes the history
				b = startBoard(t, b.data)
				b.unsay()
				log, at := b.find(secret)
				b.kill()
				card.Settle()
				fails(card, b.data, log, at)
				b = startBoard(t, b.data)
				cut(card, b)
				b.signal(syscall.SIGKILL)
				card.Mend() // it ends when the card lets go of it
				b.killed()
				return startShown(t, b.data)
			},
			log:     []string{`level=INFO msg="store opened" .*found=crash`},
			page:    []string{`^  found as +it was left by a crash or a power cut`, `^state +ok$`},
			metrics: []string{`^edgechat_store_start\{found="crash"\} 1$`, `^edgechat_store_erasures_total [1-9]`, `^edgechat_store_unerased 0$`},
		}
	}
	return []sign{
		erased("power is cut while the log is erased, while a damaged history is replaced or could not be, or after a start that could not write to the log",
			"power cut while the log is erased",
			func(card *faultydisk.Card, _, log string, at int64) {
				from, to := card.Where(log, at)
				card.Set(faultydisk.Write, faultydisk.Fault{Hang: true, From: from, To: to})
			},
			func(card *faultydisk.Card, _ *board) { card.AwaitHanging() }),
		erased("power is cut, or a checkpoint fails, between a deletion and the erasing of what it took away",
			"power cut before it is erased",
			func(card *faultydisk.Card, data, _ string, _ int64) {
				from, to := card.Where(filepath.Join(data, storeFile), 0)
				card.Set(faultydisk.Write, faultydisk.Fault{Err: syscall.EIO, From: from, To: to + 4096}) // both of its roots
			},
			func(_ *faultydisk.Card, b *board) { b.await(`level=ERROR msg="history not written"`) }),
	}
}

const secret = "[the secret that is deleted]"

// unsay says a secret, and more than fits into its block, and deletes it.
func (b *board) unsay() {
	b.t.Helper()
	c := edgetest.Dial(b.t, "http://"+b.addr+"/chat/room/den?username=x", "Sec-WebSocket-Protocol: edgechat.v1.json")
	defer c.Conn.Close()
	c.Text(fmt.Sprintf(`{"type":"message","content":%q,"idempotency_key":"said","author_key":"3q2-7wA9"}`, secret))
	id := c.JSONOf("ack")["id"]
	b.say("den", filler(10)...)
	c.Text(fmt.Sprintf(`{"type":"delete","id":%q,"idempotency_key":"deleted","author_key":"3q2-7wA9"}`, id))
	if ack := c.JSONOf("ack"); ack["durable"] != true {
		b.t.Fatalf("%v\n%s", ack, b.log)
	}
}
