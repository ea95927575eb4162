package clustertest

import (
	"sync"
	"testing"

	"edgechat/codec"
)

// A Crowd is who is elsewhere, as a node is told.
type Crowd struct {
	t            testing.TB
	mu           sync.Mutex
	here         map[string]int // by room and name
	joined, left int
}

// NewCrowd returns one of a node that has not been told of anybody.
func NewCrowd(t testing.TB) *Crowd { return &Crowd{t: t, here: map[string]int{}} }

// Empty says that somebody is in a room.
func (*Crowd) Empty() bool { return false }

// Abroad is that of cluster.Crowd.
func (c *Crowd) Abroad(room string, e *codec.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who := room + " " + e.Username
	switch e.Type {
	case codec.TypeJoined:
		c.joined++
		c.here[who]++
	case codec.TypeLeft:
		c.left++
		if c.here[who]--; c.here[who] < 0 {
			c.t.Errorf("%s left without having joined", who)
		}
		if c.here[who] == 0 {
			delete(c.here, who)
		}
	}
}

// Is says how many are elsewhere, and how often somebody joined and left.
func (c *Crowd) Is() (present, joined, left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.here {
		present += n
	}
	return present, c.joined, c.left
}

// are says that these are elsewhere and nobody else, and that as many joined as left or are there.
func (c *Crowd) are(who map[string]int) bool {
	present, joined, left := c.Is()
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, n := range who {
		if c.here[name] != n {
			return false
		}
		present -= n
	}
	return present == 0 && joined == left+sum(who)
}

func sum(list map[string]int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}
