package codec

import (
	"crypto/sha256"
	"encoding/binary"
)

// A Kind says what a stored message is. Its value is what records hold.
type Kind uint8

const (
	Said     Kind = iota // something new
	Edit                 // the content of an earlier message is another from now on
	Deletion             // an earlier message is no more
)

// frame returns the type of its frames.
func (k Kind) frame() Type {
	switch k {
	case Edit:
		return TypeEdited
	case Deletion:
		return TypeDeleted
	}
	return TypeMessage
}

// AuthorOf returns what messages keep of who said them: a hash of what proves it, which is never 0. It is
// never sent, and does not lead back to the proof.
func AuthorOf(proof string) uint64 {
	sum := sha256.Sum256([]byte(proof))
	return binary.BigEndian.Uint64(sum[:]) | 1
}

// A Claim says whose messages somebody may change. The zero value is of nobody.
type Claim struct {
	Authors [2]uint64 // theirs; 0 is nobody
	All     bool      // of all
}

// Covers reports whether a message of this author is among them.
func (c Claim) Covers(author uint64) bool {
	return c.All || author != 0 && (author == c.Authors[0] || author == c.Authors[1])
}
