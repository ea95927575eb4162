package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgechat/admin"
	"edgechat/auth"
	"edgechat/codec"
	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
	"edgechat/store"
)

var soak = flag.Duration("soak", 0, "how long TestSoak goes on; 0 leaves it out")

// TestSoak has everything happen to one server at once, for long: people come and go, publish, read too slowly or not at all,
// a hundred come back together, its card hangs and is late, tokens are changed and read again, backups are made. After
// a fifth of the time, when every buffer has been filled, all of it pauses, and at the end: heap, goroutines, descriptors
// and memory are then what they were in the pause. make soak does 30 minutes.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("-soak says how long: make soak")
	}
	card := faultydisk.New(t, 256<<20)
	tokens, socket := filepath.Join(t.TempDir(), "tokens"), filepath.Join(t.TempDir(), "admin.sock")
	if _, err := auth.Create(tokens, "first", auth.Write, nil); err != nil {
		t.Fatal(err)
	}
	b := startBoard(t, card.Dir+"/data", "EDGECHAT_ADMIN="+socket, "EDGECHAT_TOKENS="+tokens, "EDGECHAT_ANONYMOUS=write", "EDGECHAT_WRITE_TIMEOUT=5s")
	s := &soakTest{t: t, b: b, card: card, tokens: tokens, admin: admin.NewClient(socket), socket: socket}
	s.run(*soak / 5)
	level := s.settled()
	t.Logf("after %v: %v; %v", *soak/5, level, &s.did)
	s.run(*soak - *soak/5)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		now := s.settled()
		more := now.above(level)
		if more == "" {
			t.Logf("after %v: %v; %v", *soak, now, &s.did)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: at first %v, and two minutes after the end %v; %v", more, level, now, &s.did)
		}
		time.Sleep(time.Second)
	}
	s.did.check(t)
	b.stop()
}

type soakTest struct {
	t      *testing.T
	b      *board
	card   *faultydisk.Card
	admin  *admin.Client
	tokens string
	socket string
	did    soaked
}

// run has it all happen for so long, and returns when nobody is left and the card is well.
func (s *soakTest) run(long time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), long)
	defer cancel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { repeat(ctx, s.churn) })
		wg.Go(func() { repeat(ctx, s.publish) })
	}
	for range 3 {
		wg.Go(func() { repeat(ctx, s.readSlowly) })
	}
	wg.Go(func() { repeat(ctx, s.herd) })
	for ctx.Err() == nil { // here, since it may end the test
		s.fault(ctx)
		s.reload()
		s.backup()
	}
	wg.Wait()
	s.card.Mend()
	deadline := time.Now().Add(time.Minute)
	for {
		status, body, err := s.b.get("/readyz", 10*time.Second)
		if err == nil && status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("a minute after all was well again /readyz says %d %s, %v", status, body, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func repeat(ctx context.Context, do func(context.Context)) {
	for ctx.Err() == nil {
		do(ctx)
	}
}

// rest waits for a random time of up to most, or until the end.
func rest(ctx context.Context, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(most)):
	}
}

// dial joins a room. A server that is busy may be late, and then nobody is there.
func (s *soakTest) dial(room string) (net.Conn, *bufio.Reader) {
	conn, err := net.DialTimeout("tcp", s.b.addr, 10*time.Second)
	if err != nil {
		return nil, nil
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(conn)
	u := &url.URL{Scheme: "ws", Host: s.b.addr, Path: "/chat/room/" + room, RawQuery: "username=soak&history=20"}
	if _, err := io.WriteString(conn, edgetest.Handshake(u)); err == nil {
		if head, err := readHead(r); err == nil && len(head) > 12 && head[9:12] == "101" {
			return conn, r
		}
	}
	conn.Close()
	return nil, nil
}

// churn joins one of many rooms, says something, and goes, in order or not.
func (s *soakTest) churn(ctx context.Context) {
	conn, _ := s.dial(fmt.Sprintf("room-%d", rand.N(300)))
	if conn == nil {
		rest(ctx, time.Second)
		return
	}
	defer conn.Close()
	for range rand.N(4) {
		_, _ = conn.Write(edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"hello"}`)))
	}
	rest(ctx, 50*time.Millisecond)
	if rand.N(2) == 0 {
		s.did.cut.Add(1)
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset
		return
	}
	_, _ = conn.Write(edgetest.Frame(edgetest.OpClose, []byte{3, 232}))
	_, _ = io.Copy(io.Discard, conn) // until the server has closed
	s.did.churned.Add(1)
}

// publish posts and waits for what becomes of it.
func (s *soakTest) publish(ctx context.Context) {
	room := fmt.Sprintf("busy-%d", rand.N(4))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.b.addr+"/chat/room/"+room+"/messages?username=x", &filled{left: 10 + rand.Int64N(2000)})
	if err != nil {
		return
	}
	resp, err := patient.Do(req)
	if err != nil {
		rest(ctx, 100*time.Millisecond)
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	switch resp.StatusCode {
	case http.StatusCreated:
		s.did.acked.Add(1)
	case http.StatusAccepted:
		s.did.unacked.Add(1)
	}
	rest(ctx, 20*time.Millisecond)
}

// filled is a text of so many bytes.
type filled struct{ left int64 }

func (f *filled) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n := min(f.left, int64(len(p)))
	for i := range p[:n] {
		p[i] = 'x'
	}
	f.left -= n
	return int(n), nil
}

// readSlowly is in a busy room and takes little of it, or nothing.
func (s *soakTest) readSlowly(ctx context.Context) {
	conn, r := s.dial(fmt.Sprintf("busy-%d", rand.N(4)))
	if conn == nil {
		rest(ctx, time.Second)
		return
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	s.did.slow.Add(1)
	end := time.Now().Add(rand.N(15 * time.Second))
	silent := rand.N(2) == 0
	for ctx.Err() == nil && time.Now().Before(end) {
		rest(ctx, 100*time.Millisecond)
		if silent {
			continue
		}
		if _, err := r.Discard(500); err != nil {
			return
		}
	}
}

// herd is a hundred who come together, stay for a while, and are gone at once.
func (s *soakTest) herd(ctx context.Context) {
	conns := make([]net.Conn, 100)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { conns[i], _ = s.dial("herd") })
	}
	wg.Wait()
	rest(ctx, 10*time.Second)
	for _, conn := range conns {
		if conn != nil {
			conn.Close()
		}
	}
	s.did.herds.Add(1)
}

// fault has the card do something for a while, and be well again for a while. No write fails: ext4 is read-only for good once
// one of its journal does.
func (s *soakTest) fault(ctx context.Context) {
	for op, f := range map[faultydisk.Op]faultydisk.Fault{
		faultydisk.Write: {Delay: 5 * time.Millisecond, Upto: 300 * time.Millisecond},
		faultydisk.Flush: {Hang: true},
		faultydisk.Read:  {Delay: 50 * time.Millisecond},
	} {
		if ctx.Err() != nil {
			return
		}
		s.card.Set(op, f)
		s.did.faults.Add(1)
		rest(ctx, 3*time.Second)
		s.card.Mend()
		rest(ctx, 3*time.Second)
	}
}

// reload makes a token, takes one back, and has the server read the file.
func (s *soakTest) reload() {
	name := fmt.Sprintf("soak-%d", s.did.reloads.Add(1))
	if _, err := auth.Create(s.tokens, name, auth.Read, []string{"den"}); err != nil {
		s.t.Fatal(err)
	}
	s.b.signal(syscall.SIGHUP)
	if err := auth.Revoke(s.tokens, name); err != nil {
		s.t.Fatal(err)
	}
	s.b.signal(syscall.SIGHUP)
}

// backup makes one of the server at work and reads all of it.
func (s *soakTest) backup() {
	r, w := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { w.CloseWithError(s.admin.Backup(context.Background(), w)) })
	n, err := store.ReadBackup(r, func([]codec.Record) error { return nil })
	r.CloseWithError(err)
	wg.Wait()
	if err != nil || n == 0 {
		s.t.Fatalf("a backup of %d messages: %v\n%s", n, err, s.b.log)
	}
	s.did.backups.Add(1)
}

var (
	heapAlloc  = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)
	goroutines = regexp.MustCompile(`goroutine profile: total (\d+)`)
	rss        = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)
)
