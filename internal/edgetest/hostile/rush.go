package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Rush is one who says something without pause, and hears it, in a room with others who do nothing but read.
type Rush struct {
	Addr    string
	Readers int

	speaker *Conn
	conns   []*Conn
	stop    atomic.Bool
	saying  sync.WaitGroup
	hearing sync.WaitGroup
	said    int
	heard   []int // by each of conns
	errs    []error
}

// Rushed is the result of a Rush.
type Rushed struct {
	Said  int
	Heard []int    // by each of them, the speaker last
	Lost  []string // what went wrong with them
}

func (r *Rush) begin() (err error) {
	for range r.Readers + 1 {
		c, err := Join(r.Addr, "rush", "username=reader")
		if err != nil {
			return err
		}
		r.conns = append(r.conns, c)
	}
	r.speaker = r.conns[r.Readers]
	r.heard, r.errs = make([]int, len(r.conns)), make([]error, len(r.conns)+1)
	for i, c := range r.conns {
		r.hearing.Go(func() { r.heard[i], r.errs[i] = hearAll(c) })
	}
	r.saying.Go(func() { r.errs[len(r.conns)] = r.say() })
	return nil
}

func (r *Rush) say() error {
	const batch = 500
	var b []byte
	for range batch {
		b = Frame(b, 0x81, `{"type":"message","content":"x"}`)
	}
	for !r.stop.Load() {
		if _, err := r.speaker.Write(b); err != nil {
			return fmt.Errorf("say: %w", err)
		}
		r.said += batch
	}
	_, err := r.speaker.Write(Frame(nil, 0x81, `{"type":"message","content":"end"}`))
	return err
}

// hearAll reads messages until the one that is the end, and fails where one is missing.
func hearAll(c *Conn) (heard int, err error) {
	for previous := 0; ; heard++ {
		opcode, payload, err := c.Next()
		if err != nil {
			return heard, err
		}
		if opcode == 8 {
			return heard, fmt.Errorf("closed: %q", payload)
		}
		if opcode != 1 || !bytes.HasPrefix(payload, []byte(`{"type":"message"`)) {
			heard--
			continue
		}
		if bytes.Contains(payload, []byte(`"content":"end"`)) {
			return heard, nil
		}
		_, text, _ := bytes.Cut(payload, []byte(`"offset":`))
		n, err := strconv.Atoi(string(bytes.TrimRight(text, "}")))
		if err != nil || previous != 0 && n != previous+1 {
			return heard, fmt.Errorf("%s comes behind offset %d", payload, previous)
		}
		previous = n
	}
}

func (r *Rush) end() (any, error) {
	r.stop.Store(true)
	timer := time.AfterFunc(patience, func() {
		for _, c := range r.conns {
			_ = c.Close()
		}
	})
	defer timer.Stop()
	r.saying.Wait()
	r.hearing.Wait()
	result := Rushed{Said: r.said, Heard: r.heard}
	for i, err := range r.errs {
		if err != nil {
			result.Lost = append(result.Lost, fmt.Sprintf("%d: %v", i, err))
		}
	}
	if r.said == 0 {
		return nil, errors.New("nothing was said")
	}
	return result, nil
}
