package moderation

import (
	"fmt"
	"net/netip"
	"time"

	"edgechat/names"
)

// A Kind is what a rule forbids.
type Kind string

const (
	KindBan      Kind = "ban"       // to enter, read and write
	KindMute     Kind = "mute"      // to write
	KindSlow     Kind = "slow"      // to send more than one message in each Every
	KindReadOnly Kind = "read-only" // to write, for all who do not moderate
	KindClosed   Kind = "closed"    // to enter, for all
)

var kinds = [...]Kind{KindBan, KindMute, KindSlow, KindReadOnly, KindClosed}

// A Rule is what holds for somebody, or for a room.
//
// One that ends does so Left after it was looked at. Over a restart what is left is less by the time that passed
// on the wall clock since the file was written; by none if that clock was set back since, or stood in a time in which
// there was no such program: then it was not set yet, as on a board without a battery. So a rule may last longer than it was
// made for, and never ends early.
type Rule struct {
	Kind     Kind      `json:"rule"`
	Room     string    `json:"room,omitempty"` // "" is all of them
	Identity string    `json:"identity,omitempty"`
	Name     string    `json:"name,omitempty"`
	Address  string    `json:"address,omitempty"`
	Every    int64     `json:"every_ms,omitempty"` // of KindSlow
	Left     int64     `json:"left_ms,omitempty"`  // 0 is for ever
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by"`
	Since    time.Time `json:"since"` // by the wall clock of then

	address netip.Prefix
	end     time.Time // by the monotonic clock; zero is never
	nobody  error     // why it is about nobody: what it names can be nobody's name, or no room, any more
}

// lasting returns r with its end, so long from now; 0 is never.
func (r Rule) lasting(d time.Duration) Rule {
	r.end = time.Time{}
	if d > 0 {
		r.end = time.Now().Add(d)
	}
	return r
}

func (r *Rule) over(now time.Time) bool { return !r.end.IsZero() && !now.Before(r.end) }

// left is how long r still lasts; 0 is for ever.
func (r *Rule) left(now time.Time) time.Duration {
	if r.end.IsZero() {
		return 0
	}
	return max(r.end.Sub(now), time.Millisecond)
}

// at returns r with what is left of it.
func (r Rule) at(now time.Time) Rule {
	r.Left = int64((r.left(now) + time.Millisecond - 1) / time.Millisecond)
	return r
}

// About says for people whom r is about; "" if it is about all in a room.
func (r *Rule) About() string { return about(r.Identity, r.Name, r.Address) }

// same reports whether r and x cannot both be.
func (r Rule) same(x Rule) bool {
	return r.Kind == x.Kind && r.Room == x.Room && r.Identity == x.Identity && names.Alike(r.Name, x.Name) && r.address == x.address
}

// where is for messages to people.
func (r *Rule) where() string {
	switch {
	case r.Kind != KindBan && r.Kind != KindMute:
		return ""
	case r.Room == "":
		return " in all rooms"
	}
	return fmt.Sprintf(" in room %q", r.Room)
}

// check completes a rule that was read, and says what is wrong with it.
func (r *Rule) check() (err error) {
	people := 0
	for _, text := range []string{r.Identity, r.Name, r.Address} {
		if text != "" {
			people++
		}
	}
	want := 0
	switch r.Kind {
	case KindBan, KindMute, kindKick:
		want = 1
	case KindSlow, KindReadOnly, KindClosed, kindOut:
		if r.Room == "" {
			return fmt.Errorf("a rule of kind %s without a room", r.Kind)
		}
	default:
		return fmt.Errorf("a rule of the unknown kind %q", r.Kind)
	}
	if people != want || r.Kind == KindSlow && r.Every <= 0 || r.Left < 0 {
		return fmt.Errorf("a rule of kind %s that makes no sense", r.Kind)
	}
	for name, form := range map[*string]func(string) (string, error){&r.Room: names.Room, &r.Identity: names.User, &r.Name: names.User} {
		clean, err := form(*name) // a file of before may have another
		switch {
		case *name == "":
		case err != nil:
			r.nobody = err
		default:
			*name = clean
		}
	}
	if r.Address != "" {
		r.address, err = ParseAddress(r.Address)
	}
	return err
}

// reasoned is text, and the reason of a rule if there is one.
func reasoned(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}
