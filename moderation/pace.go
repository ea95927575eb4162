package moderation

import (
	"net/netip"
	"sync"
	"time"

	"edgechat/names"
)

// maxPaced is how many members of slow rooms are remembered at once.
const maxPaced = 8192

// A pace knows when each member of a slow room may send the next message. It is in memory alone: after a restart everyone
// may send one.
type pace struct {
	mu   sync.Mutex
	next map[paceKey]time.Time
}

// A paceKey is one member: a token, or without one a name at a site. With neither it is all names of a site.
type paceKey struct {
	room, identity, name string
	site                 netip.Addr // of IPv6 the first address of its /64
}

// slowKeys returns the keys of w: his own, and that of all who have no token at his site, if he has none and it is known.
func slowKeys(room string, w Who) (own, site paceKey) {
	if w.Identity != "" {
		return paceKey{room: room, identity: w.Identity}, paceKey{}
	}
	at := w.Address.Unmap()
	if at.Is6() {
		at = netip.PrefixFrom(at.WithZone(""), sitePrefix).Masked().Addr()
	}
	own = paceKey{room: room, name: names.KeysOf(w.Name)[0], site: at}
	if at.IsValid() {
		site = paceKey{room: room, site: at}
	}
	return own, site
}

// take returns 0 and counts a message, or how long it is until there may be one. Names cost nothing, so that besides all of a site have perSite
// messages in that time; less than 1 is no limit. crowded says that this is what keeps him waiting.
func (p *pace) take(own, site paceKey, perSite int, every time.Duration, now time.Time) (wait time.Duration, crowded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait = min(p.next[own].Sub(now), every); wait > 0 { // a room may have become faster
		return wait, false
	}
	limited := site != paceKey{} && perSite > 0
	if limited { // of a site it is when all that it has said is made up for
		each := every / time.Duration(perSite)
		next := later(now, p.next[site])
		if next.Sub(now) > every { // the room has become faster
			next = now.Add(every)
			p.setLocked(site, next, now)
		}
		next = next.Add(each)
		if wait = next.Sub(now) - every; wait > 0 {
			return wait, true
		}
		p.setLocked(site, next, now)
	}
	p.setLocked(own, now.Add(every), now)
	return 0, false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (p *pace) setLocked(k paceKey, next, now time.Time) {
	if p.next == nil {
		p.next = make(map[paceKey]time.Time)
	}
	if _, known := p.next[k]; !known && len(p.next) >= maxPaced {
		p.makeRoomLocked(now)
	}
	p.next[k] = next
}

// makeRoomLocked forgets who may send anyway, and if these are few whoever comes first, an eighth of all: they may send once
// more. So it is done once for many who come.
func (p *pace) makeRoomLocked(now time.Time) {
	for k, next := range p.next {
		if !now.Before(next) {
			delete(p.next, k)
		}
	}
	for k := range p.next {
		if len(p.next) <= maxPaced-maxPaced/8 {
			return
		}
		delete(p.next, k)
	}
}
