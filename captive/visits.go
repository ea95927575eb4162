package captive

import (
	"net/netip"
	"sync"
	"time"
)

// visits are the addresses that have been here lately.
type visits struct {
	delay, time time.Duration
	most        int

	mu        sync.Mutex
	known     map[netip.Addr]*visit
	forgotten uint64
}

// A visit is what is known of one address. An address of IPv6 is one, not the network that it is in, which on a Wi-Fi all share.
type visit struct {
	page  time.Time // when it first had the page
	chat  bool      // it has been in the chat
	heard time.Time // when it was last heard of
}

// note remembers that ip has loaded the page, or is in the chat.
func (v *visits) note(ip netip.Addr, chat bool) {
	if !ip.IsValid() {
		return
	}
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	one := v.visitLocked(ip, now)
	if one == nil {
		v.roomLocked(now)
		one = &visit{page: now}
		v.known[ip] = one
	}
	one.heard = now
	one.chat = one.chat || chat
}

// well reports whether ip is to be told that all is well. Being asked is a sign of life, too.
func (v *visits) well(ip netip.Addr) bool {
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	one := v.visitLocked(ip, now)
	if one == nil {
		return false
	}
	one.heard = now
	return one.chat || now.Sub(one.page) >= v.delay
}

// visitLocked returns the visit of ip, nil if there is none or it has been silent for too long.
func (v *visits) visitLocked(ip netip.Addr, now time.Time) *visit {
	one := v.known[ip]
	if one != nil && now.Sub(one.heard) >= v.time {
		delete(v.known, ip)
		return nil
	}
	return one
}

// roomLocked makes room for one more.
func (v *visits) roomLocked(now time.Time) {
	if len(v.known) < v.most {
		return
	}
	var first netip.Addr
	for ip, one := range v.known {
		if now.Sub(one.heard) >= v.time {
			delete(v.known, ip)
		} else if old := v.known[first]; old == nil || one.heard.Before(old.heard) {
			first = ip
		}
	}
	if len(v.known) >= v.most {
		delete(v.known, first)
		v.forgotten++
	}
}

func (v *visits) count() (n int, forgotten uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.known), v.forgotten
}
