package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Quiet is pairs of people, each in a room of its own: one says something each Every, and the other hears it. Two of four
// pairs speak MessagePack. Beside that somebody asks /healthz as often, each time on a connection of its own.
//
// A server may have its connections on several loops, in turn. Pairs therefore come in either order, so that
// whatever loop is held up there is somebody on it who speaks, and somebody who listens.
type Quiet struct {
	Addr  string
	Pairs int
	Every time.Duration
	TLS   string   // where it speaks TLS, which every other pair does; "": none
	From  []string // addresses of this machine that they have in turn; none is any

	pairs   []*pair
	quit    chan struct{}
	wg      sync.WaitGroup
	healthz []time.Duration
	err     error // of who asks
}

type pair struct {
	said, heard *Conn
	msgpack     bool
	began       time.Time
	sent        []atomic.Int64 // since began, in the order in which it was said
	took        []time.Duration
	errs        [2]error // of who says and who hears
}

// Latencies is the result of a Quiet.
type Latencies struct {
	Messages, Healthz Quantiles
}

// Quantiles are those of times that something took.
type Quantiles struct {
	N             int
	P50, P99, Max time.Duration
}

func (q Quantiles) String() string {
	r := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, max %v of %d", r(q.P50), r(q.P99), r(q.Max), q.N)
}

func quantiles(took []time.Duration) (q Quantiles) {
	slices.Sort(took)
	if n := len(took); n > 0 {
		q = Quantiles{n, took[n/2], took[min(n*99/100, n-1)], took[n-1]}
	}
	return q
}

// mostSaid bounds what a pair says.
const mostSaid = 1 << 16

func (q *Quiet) begin() error {
	q.quit = make(chan struct{})
	for i := range q.Pairs {
		p := &pair{msgpack: i%4 >= 2, began: time.Now(), sent: make([]atomic.Int64, mostSaid), took: make([]time.Duration, 0, mostSaid)}
		from, query := "", "username=alice"
		if len(q.From) > 0 {
			from = q.From[i%len(q.From)]
		}
		if p.msgpack {
			query += "&format=msgpack"
		}
		ends := []**Conn{&p.heard, &p.said}
		if i%2 == 1 {
			slices.Reverse(ends)
		}
		for _, end := range ends {
			var err error
			if q.TLS != "" && i%2 == 1 {
				*end, err = joinTLS(q.TLS, "quiet"+strconv.Itoa(i), query)
			} else {
				*end, err = JoinFrom(from, q.Addr, "quiet"+strconv.Itoa(i), query)
			}
			if err != nil {
				return err
			}
		}
		q.pairs = append(q.pairs, p)
	}
	for i, p := range q.pairs {
		q.wg.Go(func() {
			time.Sleep(q.Every * time.Duration(i) / time.Duration(q.Pairs)) // not all in one moment
			p.errs[0] = p.say(q.Every, q.quit)
		})
		q.wg.Go(func() { p.errs[1] = p.hear() })
		go func() { _, _ = io.Copy(io.Discard, p.said.r) }() // until the process ends
	}
	q.wg.Go(func() { q.err = q.ask() })
	return nil
}

// say sends at the times that Every gives, also if the answers are late.
func (p *pair) say(every time.Duration, quit <-chan struct{}) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var b []byte
	for n := range p.sent {
		select {
		case <-quit:
			_, err := p.said.Write(say(b[:0], p.msgpack, "end"))
			return err
		case <-ticker.C:
			b = say(b[:0], p.msgpack, strconv.Itoa(n))
			p.sent[n].Store(int64(time.Since(p.began))) // before it is written, and so before it is heard
			if _, err := p.said.Write(b); err != nil {
				return err
			}
		}
	}
	return errors.New("too much was said")
}

func (p *pair) hear() error {
	for {
		opcode, payload, err := p.heard.Next()
		if err != nil {
			return err
		}
		if opcode == 9 { // or it would be taken for gone
			if _, err := p.heard.Write(Frame(nil, 0x8a, string(payload))); err != nil {
				return err
			}
		}
		content, ok := heard(opcode, payload)
		if !ok {
			continue
		}
		if string(content) == "end" {
			return nil
		}
		n, err := strconv.Atoi(string(content))
		if err != nil || n != len(p.took) {
			return fmt.Errorf("heard %q, want %d", content, len(p.took))
		}
		p.took = append(p.took, time.Since(p.began)-time.Duration(p.sent[n].Load()))
	}
}

func (q *Quiet) ask() error {
	ticker := time.NewTicker(q.Every)
	defer ticker.Stop()
	for {
		select {
		case <-q.quit:
			return nil
		case <-ticker.C:
			began := time.Now()
			if err := healthz(q.Addr); err != nil {
				return err
			}
			q.healthz = append(q.healthz, time.Since(began))
		}
	}
}

func healthz(addr string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	var b [512]byte
	n, err := io.ReadAtLeast(c, b[:], len("HTTP/1.1 200"))
	if err != nil {
		return fmt.Errorf("/healthz: %w", err)
	}
	if !bytes.HasPrefix(b[:n], []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("/healthz: %q", b[:n])
	}
	return nil
}

func (q *Quiet) end() (any, error) {
	close(q.quit)
	timer := time.AfterFunc(patience, func() {
		for _, p := range q.pairs {
			_ = p.heard.Close()
		}
	})
	defer timer.Stop()
	q.wg.Wait()
	var took []time.Duration
	for _, p := range q.pairs {
		took = append(took, p.took...)
		q.err = errors.Join(q.err, p.errs[0], p.errs[1])
	}
	return Latencies{quantiles(took), quantiles(q.healthz)}, q.err
}
