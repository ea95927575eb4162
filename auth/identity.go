package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"edgechat/codec"
	"edgechat/refusal"
)

// An Identity is who a connection belongs to. The zero value may do nothing.
type Identity struct {
	Name      string   // shown to others; "" if Anonymous
	Access    Access   // in the rooms that Rooms names
	Rooms     []string // exact names, or prefixes with a trailing "*"; empty: all rooms
	Anonymous bool     // came without a token
}

// May reports whether id has access a (Read, Write or Moderate) to room. Names are
// compared byte by byte, as rooms are told apart. A nil id may do nothing.
func (id *Identity) May(a Access, room string) bool {
	if id == nil || a < Read || a > Moderate || id.Access < a || id.Access > Moderate {
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
	return id != nil && a >= Read && id.Access >= a && id.Access <= Moderate && (len(id.Rooms) == 0 || slices.Contains(id.Rooms, "*"))
}

// checkName says what is wrong with s as the name of a token: it becomes the username
// of whoever bears it, as it is.
func checkName(s string) error {
	clean, err := codec.CleanUsername(s)
	if err == nil && clean != s {
		err = errors.New("it begins or ends with a space")
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
	if err := codec.CheckRoom(name); err != nil {
		return fmt.Errorf("room pattern %q: %s", p, reason(err))
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
