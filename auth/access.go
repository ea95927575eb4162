package auth

import "fmt"

// Access is what an identity may do in the rooms that are open to it. A higher
// one includes the lower ones.
type Access uint8

const (
	Unset    Access = iota // a setting left at its default; grants nothing
	None                   // may not even read: a token that is suspended, not revoked
	Read                   // history, live messages, who is there
	Write                  // Read, and publish, and change what one has published
	Moderate               // Write, and delete what others have published
)

// ParseAccess reads "none", "read", "write" or "moderate".
func ParseAccess(s string) (Access, error) {
	switch s {
	case "none":
		return None, nil
	case "read":
		return Read, nil
	case "write":
		return Write, nil
	case "moderate":
		return Moderate, nil
	}
	return Unset, fmt.Errorf("access %q must be none, read, write or moderate", s)
}

// String returns what ParseAccess reads, and "" for Unset.
func (a Access) String() string {
	switch a {
	case Unset:
		return ""
	case None:
		return "none"
	case Read:
		return "read"
	case Write:
		return "write"
	case Moderate:
		return "moderate"
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
