package moderation

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"edgechat/names"
	"edgechat/refusal"
)

// A Refusal says no, by a rule.
type Refusal struct {
	Code refusal.Code
	Text string        // for people
	Wait time.Duration // after which the same may be allowed; 0 is not known, or never
}

// Close returns what a close frame says: the code, and the text.
func (r *Refusal) Close() string { return string(r.Code) + ": " + r.Text }

// An index finds rules. It is never changed.
type index struct {
	all   scope // of the whole server
	rooms map[string]*scope
}

// A scope is the rules of one room, or of all.
type scope struct {
	bans, mutes            people
	slow, readOnly, closed *Rule
}

// people are rules about people.
type people struct {
	identities, names map[string]*Rule // names by both their keys
	addresses         map[netip.Prefix]*Rule
	bits              []int // that prefixes in addresses have
}

func newIndex(rules []Rule) *index {
	x := &index{rooms: make(map[string]*scope)}
	for i := range rules {
		rule := &rules[i]
		s := &x.all
		if rule.Room != "" {
			if s = x.rooms[rule.Room]; s == nil {
				s = new(scope)
				x.rooms[rule.Room] = s
			}
		}
		switch rule.Kind {
		case KindBan:
			s.bans.add(rule)
		case KindMute:
			s.mutes.add(rule)
		case KindSlow:
			s.slow = longer(s.slow, rule)
		case KindReadOnly:
			s.readOnly = longer(s.readOnly, rule)
		case KindClosed:
			s.closed = longer(s.closed, rule)
		}
	}
	return x
}

func (p *people) add(rule *Rule) {
	switch {
	case rule.Identity != "":
		put(&p.identities, rule.Identity, rule)
	case rule.Name != "":
		for _, key := range names.KeysOf(rule.Name) {
			put(&p.names, key, rule)
		}
	default:
		put(&p.addresses, rule.address, rule)
		if n := rule.address.Bits(); !slices.Contains(p.bits, n) {
			p.bits = append(p.bits, n)
		}
	}
}

func put[K comparable](m *map[K]*Rule, key K, rule *Rule) {
	if *m == nil {
		*m = make(map[K]*Rule)
	}
	(*m)[key] = longer((*m)[key], rule)
}

// longer returns of two rules about the same, as a file of before may have, the one that ends later. a may be nil.
func longer(a, b *Rule) *Rule {
	if a == nil || !a.end.IsZero() && (b.end.IsZero() || b.end.After(a.end)) {
		return b
	}
	return a
}

// find returns a rule that is about w, or nil.
func (p *people) find(w Who, now time.Time) *Rule {
	if w.Identity != "" {
		if rule := inForce(p.identities[w.Identity], now); rule != nil {
			return rule
		}
	}
	if w.Moderator {
		return nil
	}
	if len(p.names) > 0 {
		for _, key := range names.KeysOf(w.Name) {
			if rule := inForce(p.names[key], now); rule != nil {
				return rule
			}
		}
	}
	if len(p.bits) == 0 || !w.Address.IsValid() {
		return nil
	}
	ip := w.Address.Unmap().WithZone("")
	for _, bits := range p.bits {
		if prefix, err := ip.Prefix(bits); err == nil {
			if rule := inForce(p.addresses[prefix], now); rule != nil {
				return rule
			}
		}
	}
	return nil
}

func inForce(rule *Rule, now time.Time) *Rule {
	if rule == nil || rule.over(now) {
		return nil
	}
	return rule
}

// None reports whether there are no rules, so that nobody need find out who is asking.
func (r *Rules) None() bool { return r.index.Load() == nil }

// scopes calls f with the rules of the whole server and with those of the room, until it returns a Refusal.
func (r *Rules) scopes(room string, f func(s *scope, now time.Time) *Refusal) *Refusal {
	x := r.index.Load()
	if x == nil {
		return nil
	}
	now := time.Now()
	no := f(&x.all, now)
	if s := x.rooms[room]; no == nil && s != nil {
		no = f(s, now)
	}
	return no
}

// counted counts a Refusal, if no is one, and returns it.
func (r *Rules) counted(no *Refusal) *Refusal {
	if no != nil {
		r.count.refused.Add(no.Code)
	}
	return no
}

// Enter says if w may be in a room, and read there; "" is the server as such.
func (r *Rules) Enter(room string, w Who) *Refusal {
	return r.counted(r.scopes(room, func(s *scope, now time.Time) *Refusal {
		if rule := s.bans.find(w, now); rule != nil {
			return ban(rule, now)
		}
		if rule := inForce(s.closed, now); rule != nil {
			return Closing(rule.Reason, rule.left(now))
		}
		return nil
	}))
}

// Write says if w, who may enter, may write in a room.
func (r *Rules) Write(room string, w Who) *Refusal {
	return r.counted(r.write(room, w))
}

// Refusing returns the code with which Write would refuse, "" if it would not, and counts nothing.
func (r *Rules) Refusing(room string, w Who) refusal.Code {
	if no := r.write(room, w); no != nil {
		return no.Code
	}
	return ""
}

func (r *Rules) write(room string, w Who) *Refusal {
	return r.scopes(room, func(s *scope, now time.Time) *Refusal {
		if rule := s.mutes.find(w, now); rule != nil {
			left := rule.left(now)
			return &Refusal{Code: refusal.Muted, Text: reasoned("you may read here and not write"+lasts(left), rule.Reason), Wait: left}
		}
		if rule := inForce(s.readOnly, now); rule != nil && !w.Moderator {
			left := rule.left(now)
			return &Refusal{Code: refusal.ReadOnly, Text: reasoned("this room is read-only"+lasts(left)+": moderators alone write here", rule.Reason), Wait: left}
		}
		return nil
	})
}

// Pace says if w may send a message to a room now, and counts it if so. It comes last of all that may refuse it.
func (r *Rules) Pace(room string, w Who) *Refusal {
	return r.counted(r.scopes(room, func(s *scope, now time.Time) *Refusal {
		rule := inForce(s.slow, now)
		if rule == nil || w.Moderator {
			return nil
		}
		every := time.Duration(rule.Every) * time.Millisecond
		own, site := slowKeys(room, w)
		wait, crowded := r.pace.take(own, site, r.cfg.SlowPerAddress, every, now)
		if wait == 0 {
			return nil
		}
		ms := (wait + time.Millisecond - 1) / time.Millisecond
		text := fmt.Sprintf("each may send one message in %s here: try again in %d ms", ShowSpan(every), ms)
		if crowded {
			r.count.crowded.Add(1)
			text = fmt.Sprintf("all who have no token may send %d messages in %s here from one address: try again in %d ms", r.cfg.SlowPerAddress, ShowSpan(every), ms)
		}
		return &Refusal{Code: refusal.SlowMode, Text: reasoned(text, rule.Reason), Wait: wait}
	}))
}

func ban(rule *Rule, now time.Time) *Refusal {
	return Banning(rule.Room, rule.Reason, rule.left(now))
}

// Banning is what who is banned from a room is told; "" is all rooms, a time of 0 is for ever.
func Banning(room, reason string, left time.Duration) *Refusal {
	return &Refusal{Code: refusal.Banned, Text: reasoned("you are banned from "+place(room)+lasts(left), reason), Wait: left}
}

// Kicking is what who is kicked is told.
func Kicking(room, reason string) *Refusal {
	return &Refusal{Code: refusal.Kicked, Text: reasoned("a moderator has removed you from "+place(room), reason)}
}

// Closing is what those in a room that is closed are told; a time of 0 is none that is known.
func Closing(reason string, left time.Duration) *Refusal {
	return &Refusal{Code: refusal.RoomClosed, Text: reasoned("a moderator has closed this room"+lasts(left), reason), Wait: left}
}

func place(room string) string {
	if room == "" {
		return "this server"
	}
	return "this room"
}

func lasts(left time.Duration) string {
	if left == 0 {
		return ""
	}
	return " for another " + ShowSpan(left)
}
