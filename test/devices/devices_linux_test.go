package devices

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

type message struct{ ID, Username, Content string }

// history is what the room holds, as the server says over HTTP.
func history(t *testing.T, addr, room string) []message {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/chat/room/" + room + "/messages")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct{ Messages []message }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	return page.Messages
}

// TestRestarts: over five crashes of the server and as many cuts, each message is there once and in order, each was acknowledged,
// and whoever listens gets each once.
func TestRestarts(t *testing.T) {
	each(t, func(t *testing.T, device []string) {
		data := filepath.Join(t.TempDir(), "data")
		env := []string{"EDGECHAT_DATA=" + data, "EDGECHAT_LISTEN=" + edgetest.FreeAddr(t)}
		s := serve(t, env...)
		line := newLine(t, s.Addr, 0, 0)
		talker := run(t, device, nil, line.Addr().String(), "den", "Probe")
		listener := run(t, device, []string{"EDGECHAT_SINCE=all"}, line.Addr().String(), "-l", "den", "Ohr")
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprintf("%d °C", i))
			talker.say(want[i])
			switch i % 4 {
			case 1: // not acknowledged yet, as a rule
				s.Kill()
				s = serve(t, env...)
			case 3:
				line.cut()
			}
			talker.await(i+1, "ack ")
		}
		_ = talker.stdin.Close()
		select {
		case <-talker.ended:
		case <-time.After(patience):
			t.Fatal("it does not end once all is acknowledged")
		}
		var got, ids []string
		for _, m := range history(t, s.Addr, "den") {
			got, ids = append(got, m.Content), append(ids, m.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the room holds %q", got)
		}
		// What a crash took before it was on disk may have been heard, and has another id since: it was sent again.
		listener.await(1, "message "+ids[len(ids)-1])
		var heard, all []string
		for _, h := range listener.said("message ") {
			if slices.Contains(ids, strings.Fields(h)[1]) {
				heard = append(heard, h)
			}
		}
		for i, id := range ids {
			all = append(all, fmt.Sprintf("message %s Probe: %s", id, got[i]))
		}
		if !slices.Equal(heard, all) {
			t.Errorf("who listens has heard %q", heard)
		}
		for i, a := range talker.said("ack ") {
			if a != "ack "+ids[i] {
				t.Errorf("%q is acknowledged as %q, and has the id %s", want[i], a, ids[i])
			}
		}
	})
}

// TestSlowLine: a byte at a time, and a message far longer than what is kept of one.
func TestSlowLine(t *testing.T) {
	each(t, func(t *testing.T, device []string) {
		s := serve(t)
		line := newLine(t, s.Addr, 1, 0)
		listener := run(t, device, nil, line.Addr().String(), "-l", "den", "Ohr")
		listener.await(1, "subscribed ")
		c := edgetest.Dial(t, "ws://"+s.Addr+"/chat/room/den?username=Bob")
		long := strings.Repeat("ä", 255) + "€" + strings.Repeat("x", 1000) // a character of three bytes at byte 510
		content, _ := json.Marshal(long)
		c.Text(`{"type":"message","content":` + string(content) + `}`)
		c.Text(`{"type":"message","content":"short","idempotency_key":"k"}`)
		got := listener.await(2, "message ")
		ids := history(t, s.Addr, "den")
		if want := "message " + ids[0].ID + " Bob: " + strings.Repeat("ä", 255); strings.TrimSuffix(got[0], "...") != want {
			t.Errorf("of a long message it has %q", got[0])
		}
		if want := "message " + ids[1].ID + " Bob: short"; got[1] != want {
			t.Errorf("behind it comes %q", got[1])
		}
		talker := run(t, device, nil, line.Addr().String(), "den", "Probe")
		talker.say(strings.Repeat("y", 500))
		talker.await(1, "ack ")
	})
}

// TestGap: who was away longer than the buffer holds is told.
func TestGap(t *testing.T) {
	each(t, func(t *testing.T, device []string) {
		s := serve(t, "EDGECHAT_HISTORY=2", "EDGECHAT_RATE=0")
		c := edgetest.Dial(t, "ws://"+s.Addr+"/chat/room/den")
		var first string
		for i := range 5 {
			c.Text(fmt.Sprintf(`{"type":"message","content":"%d"}`, i))
			id := c.JSONOf("message")["id"].(string)
			if i == 0 {
				first = id
			}
		}
		r := run(t, device, []string{"EDGECHAT_SINCE=" + first}, s.Addr, "-l", "den")
		r.await(1, "gap")
		if got := r.await(2, "message "); !strings.HasSuffix(got[0], ": 3") || !strings.HasSuffix(got[1], ": 4") {
			t.Errorf("behind the gap comes %q", got)
		}
	})
}

// TestRefused: who may not come in is told why, and does not come back.
func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, device []string) {
		tokens := filepath.Join(t.TempDir(), "tokens")
		token, err := exec.Command(filepath.Join(built, "edgechat"), "token", "create", "Probe", "--tokens", tokens).Output()
		if err != nil {
			t.Fatal(err)
		}
		right := strings.TrimSpace(string(token))
		s := serve(t, "EDGECHAT_TOKENS="+tokens)
		for _, row := range []struct {
			room, token, want string
		}{
			{"a b", right, "stopped 400 invalid_room the name of the room may not hold ' '"},
			{strings.Repeat("x", 65), right, "stopped 400 invalid_room"},
			{"den", right + "x", "stopped 401 unauthorized"},
		} {
			r := run(t, device, []string{"EDGECHAT_TOKEN=" + row.token}, s.Addr, "-l", row.room)
			if got := r.await(1, "stopped "); !strings.HasPrefix(words(got[0]), row.want) {
				t.Errorf("%q: %q", row.room, got)
			}
			<-r.ended
		}
		run(t, device, []string{"EDGECHAT_TOKEN=" + right}, s.Addr, "-l", "den").await(1, "joined Probe")
	})
}

// TestVerified: a device can tell who has a token from who gave a name alone.
func TestVerified(t *testing.T) {
	each(t, func(t *testing.T, device []string) {
		tokens := filepath.Join(t.TempDir(), "tokens")
		token, err := exec.Command(filepath.Join(built, "edgechat"), "token", "create", "Ann", "--tokens", tokens).Output()
		if err != nil {
			t.Fatal(err)
		}
		s := serve(t, "EDGECHAT_TOKENS="+tokens, "EDGECHAT_ANONYMOUS=write")
		r := run(t, device, nil, s.Addr, "-l", "den")
		r.await(1, "subscribed ")
		for i, row := range []struct{ query, token, want string }{
			{"", strings.TrimSpace(string(token)), "Ann (verified): open"},
			{"?username=Zoe", "", "Zoe: open"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Addr+"/room/den"+row.query, strings.NewReader("open"))
			if err != nil {
				t.Fatal(err)
			}
			if row.token != "" {
				req.Header.Set("Authorization", "Bearer "+row.token)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusCreated {
				t.Fatal(res.Status, err)
			}
			if got := r.await(i+1, "message ")[i]; !strings.HasSuffix(got, " "+row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
		}
	})
}

// TestTold: what is over a limit is sent again when the server says that it will be taken.
func TestTold(t *testing.T) {
	each(t, func(t *testing.T, device []string) {
		s := serve(t, "EDGECHAT_RATE=2/1")
		r := run(t, device, nil, s.Addr, "den", "Probe")
		r.say("one", "two", "three", "four")
		r.await(4, "ack ")
		if got := history(t, s.Addr, "den"); len(got) != 4 {
			t.Errorf("the room holds %v", got)
		}
	})
}

// TestSilence: a line that hands on nothing any more is noticed and replaced.
func TestSilence(t *testing.T) {
	each(t, func(t *testing.T, device []string) {
		s := serve(t, "EDGECHAT_PING_INTERVAL=1s")
		line := newLine(t, s.Addr, 0, 0)
		r := run(t, device, nil, line.Addr().String(), "-l", "den", "Ohr")
		r.await(1, "subscribed ")
		line.silence(true)
		r.await(1, "down ")
		line.silence(false)
		line.cut()
		r.await(2, "subscribed ")
		if got := r.said("down "); !strings.Contains(got[0], "the server is silent") {
			t.Errorf("it says %q", got)
		}
	})
}

// TestTalksAndNeverPongs: any byte from a device counts as life. One that answers no ping and talks is not dropped.
func TestTalksAndNeverPongs(t *testing.T) {
	s := serve(t, "EDGECHAT_PING_INTERVAL=1s")
	c := edgetest.Dial(t, "ws://"+s.Addr+"/chat/room/den")
	done := make(chan error, 1)
	go func() {
		for range 10 { // four intervals: it would be dropped after two
			time.Sleep(400 * time.Millisecond)
			if _, err := c.Conn.Write(edgetest.Frame(edgetest.OpText, []byte(`{"type":"typing"}`))); err != nil {
				done <- err
				return
			}
		}
		_, err := c.Conn.Write(edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"still here"}`)))
		done <- err
	}()
	if got := c.JSONOf("message")["content"]; got != "still here" {
		t.Errorf("got %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNonsense: whatever answers, a device is in order: it goes down, or stops, and comes back.
func TestNonsense(t *testing.T) {
	each(t, func(t *testing.T, device []string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		answers := []string{"", "\x00\x01\x02\x03", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-OpenSSH\r\n\r\n"}
		go func() {
			for i := 0; ; i++ {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write([]byte(answers[i%len(answers)]))
				_ = c.Close()
			}
		}()
		r := run(t, device, nil, l.Addr().String(), "-l", "den")
		r.await(3, "down ")
		if got := r.said("stopped"); len(got) > 0 {
			t.Errorf("it says %q", got)
		}
	})
}
