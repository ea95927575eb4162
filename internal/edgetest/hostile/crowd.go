package hostile

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Crowd is a large room, whose members do nothing but read, and one who says something each Every.
type Crowd struct {
	Addr    string
	Members int
	Every   time.Duration

	speaker *Conn
	conns   []*Conn
	quit    chan struct{}
	said    int
	heard   atomic.Int64
	saying  sync.WaitGroup
	hearing sync.WaitGroup

	mu   sync.Mutex
	errs []error // the first few
}

// Crowded is the result of a Crowd.
type Crowded struct {
	Said, Heard int
}

func (c *Crowd) begin() (err error) {
	c.quit = make(chan struct{})
	c.conns = make([]*Conn, c.Members)
	var joining sync.WaitGroup
	for part := range 8 {
		joining.Go(func() {
			for i := part; i < c.Members; i += 8 {
				conn, err := Join(c.Addr, "crowd", "username=m"+strconv.Itoa(i))
				if err != nil {
					c.note(err)
					return
				}
				c.conns[i] = conn
				c.hearing.Go(func() { c.note(c.hear(conn)) })
			}
		})
	}
	joining.Wait()
	if c.speaker, err = Join(c.Addr, "crowd", "username=speaker"); err != nil {
		return err
	}
	c.hearing.Go(func() { c.note(c.hear(c.speaker)) })
	c.saying.Go(c.say)
	return errors.Join(c.errors()...)
}

func (c *Crowd) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && len(c.errs) < 10 {
		c.errs = append(c.errs, err)
	}
}

func (c *Crowd) errors() []error { c.mu.Lock(); defer c.mu.Unlock(); return c.errs }

func (c *Crowd) say() {
	ticker := time.NewTicker(c.Every)
	defer ticker.Stop()
	var b []byte
	for {
		select {
		case <-c.quit:
			_, err := c.speaker.Write(say(b[:0], false, "end"))
			c.note(err)
			return
		case <-ticker.C:
			b = say(b[:0], false, strconv.Itoa(c.said))
			c.said++
			if _, err := c.speaker.Write(b); err != nil {
				c.note(err)
				return
			}
		}
	}
}

// hear returns nil when the end was said, and each message before it once and in order.
func (c *Crowd) hear(conn *Conn) error {
	for want := 0; ; {
		opcode, payload, err := conn.Next()
		if err != nil {
			return err
		}
		content, ok := heard(opcode, payload)
		if !ok {
			continue
		}
		if string(content) == "end" {
			return nil
		}
		if n, err := strconv.Atoi(string(content)); err != nil || n != want {
			return fmt.Errorf("heard %q, want %d", content, want)
		}
		want++
		c.heard.Add(1)
	}
}

func (c *Crowd) end() (any, error) {
	close(c.quit)
	c.saying.Wait()
	timer := time.AfterFunc(patience, func() {
		for _, conn := range append(c.conns, c.speaker) {
			_ = conn.Close()
		}
	})
	defer timer.Stop()
	c.hearing.Wait()
	return Crowded{c.said, int(c.heard.Load())}, errors.Join(c.errors()...)
}
