package auth

import (
	"fmt"
	"slices"
)

// Access is what an identity may do. From Read on a higher one includes the lower ones, and Admin all.
type Access uint8

const (
	Unset    Access = iota // a setting left at its default; grants nothing
	None                   // may not even read: a token that is suspended, not revoked
	Metrics                // GET /metrics from anywhere, and nothing else: no room is open to it
	Read                   // history, live messages, who is there
	Write                  // Read, and publish, and change what one has published
	Moderate               // Write, and what the moderation routes do
	Admin                  // Moderate in all rooms, and Metrics
)

// words are what ParseAccess reads.
var words = [...]string{None: "none", Metrics: "metrics", Read: "read", Write: "write", Moderate: "moderate", Admin: "admin"}

// wholeServer reports whether a is about the server as such rather than about rooms.
func (a Access) wholeServer() bool { return a == Metrics || a == Admin }

// ParseAccess reads "none", "metrics", "read", "write", "moderate" or "admin".
func ParseAccess(s string) (Access, error) {
	if i := slices.Index(words[None:], s); i >= 0 {
		return None + Access(i), nil
	}
	return Unset, fmt.Errorf("access %q must be none, metrics, read, write, moderate or admin", s)
}

// String returns what ParseAccess reads, and "" for Unset.
func (a Access) String() string {
	if int(a) < len(words) {
		return words[a]
	}
	return fmt.Sprintf("Access(%d)", uint8(a))
}

// MarshalText is String, for encoders and flags.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is ParseAccess, for decoders and flags.
func (a *Access) UnmarshalText(b []byte) error {
	v, err := ParseAccess(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}
