package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"edgechat/codec"
	"edgechat/names"
	"edgechat/refusal"
)

// An Identity is who a connection belongs to. The zero value may do nothing.
type Identity struct {
	Name      string   // shown to others; "" if Anonymous
	Access    Access   // in the rooms that Rooms names
	Rooms     []string // exact names, or prefixes with a trailing "*"; empty: all rooms
	Anonymous bool     // came without a token
	Expires   int64    // when it ends, in seconds since 1970; 0 is never

	hash    [32]byte // of the token in the file, or of the key if signed; zero for others
	signed  bool     // came with a token that somebody else signed
	subject string   // whom that is about, whatever the name
	tokens  *Tokens  // of Anonymous: whose names are not to be had
	others  bool     // of Anonymous: there are such whose names are verified
}

// expired reports whether id has ended at this time.
func (id *Identity) expired(now time.Time) bool { return id.Expires != 0 && now.Unix() >= id.Expires }

// covers reports whether id may do all that old may, under the same name.
func (id *Identity) covers(old *Identity) bool {
	if id.Name != old.Name || id.Access < old.Access {
		return false
	}
	if len(id.Rooms) == 0 {
		return true
	}
	return len(old.Rooms) > 0 && !slices.ContainsFunc(old.Rooms, func(p string) bool {
		return !slices.ContainsFunc(id.Rooms, func(q string) bool { return includes(q, p) })
	})
}

// includes reports whether pattern p stands for all that q does.
func includes(p, q string) bool {
	if prefix, ok := strings.CutSuffix(p, "*"); ok {
		return strings.HasPrefix(strings.TrimSuffix(q, "*"), prefix)
	}
	return p == q
}

// Owner says of what is said with id whose it is, for comparison: by the name of a token of the file, or the sub of a signed one, whose
// name may change and be that of two. It is "" if Anonymous.
func (id *Identity) Owner() string {
	switch {
	case id.Anonymous:
		return ""
	case id.signed:
		return "j\x00" + id.subject
	}
	return "t\x00" + id.Name
}

// MayScrape reports whether id may read /metrics from another machine.
func (id *Identity) MayScrape() bool { return id != nil && id.Access.wholeServer() }

// Taken reports whether name, as codec.CleanUsername returns it, is that of a token which id does not bear, or could pass
// for one, with the mark behind it that clients show of a verified name too. It changes as the token file is read again.
func (id *Identity) Taken(name string) bool {
	return id.others && names.HasMark(name) || id.Anonymous && id.tokens != nil && id.tokens.set.Load().names.Has(name)
}

// May reports whether id has access a (Read, Write or Moderate) to room. room is in
// the form of codec.CleanRoom, as patterns are. A nil id may do nothing.
func (id *Identity) May(a Access, room string) bool {
	if id == nil || a < Read || a > Moderate || id.Access < a || id.Access > Admin {
		return false
	}
	if len(id.Rooms) == 0 {
		return true
	}
	for _, p := range id.Rooms {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			if strings.HasPrefix(room, prefix) {
				return true
			}
		} else if p == room {
			return true
		}
	}
	return false
}

// MayAll reports whether id has access a to all rooms.
func (id *Identity) MayAll(a Access) bool {
	return id != nil && a >= Read && a <= Moderate && id.Access >= a && id.Access <= Admin && (len(id.Rooms) == 0 || slices.Contains(id.Rooms, "*"))
}

// checkName says what is wrong with s as the name of a token: it becomes the username
// of whoever bears it, as it is.
func checkName(s string) error {
	clean, err := codec.CleanUsername(s)
	if err == nil && clean != s {
		err = fmt.Errorf("it is not in the form in which names are compared: write %q", clean)
	}
	if err != nil {
		return fmt.Errorf("name %q: %s", s, reason(err))
	}
	return nil
}

// checkPattern says what is wrong with p as the name of a room, or the beginning of one
// with a "*" behind it.
func checkPattern(p string) error {
	name, wild := strings.CutSuffix(p, "*")
	switch {
	case wild && (name == "" || name == "." || name == ".."):
		return nil // no names, and yet the beginning of some
	case p == "":
		return errors.New("room pattern is empty: name a room, or \"*\" for all")
	case strings.Contains(name, "*"):
		return fmt.Errorf("room pattern %q: \"*\" may stand only at the end", p)
	}
	form, err := codec.CleanRoom(name)
	if err != nil {
		return fmt.Errorf("room pattern %q: %s", p, reason(err))
	}
	if form != name {
		return fmt.Errorf("room pattern %q: %q is not in the form in which rooms are compared: write %q", p, name, form)
	}
	return nil
}

// reason returns what is wrong without the code, which is for clients.
func reason(err error) string {
	if e, ok := errors.AsType[*refusal.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
