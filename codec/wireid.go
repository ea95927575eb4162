package codec

import "github.com/tinylib/msgp/msgp"

// wireID is an ID as MessagePack: a string, written into the buffer without
// building it first. Its methods are those that generated code calls.
type wireID ID

// MarshalMsg appends the text of id as a MessagePack string.
func (id wireID) MarshalMsg(dst []byte) ([]byte, error) {
	var text [maxID]byte
	return msgp.AppendStringFromBytes(dst, ID(id).Append(text[:0])), nil
}

// Msgsize returns the most bytes that MarshalMsg appends.
func (id wireID) Msgsize() int { return msgp.StringPrefixSize + maxID }

// IsZero reports whether there is no ID, so that its key is left out.
func (id wireID) IsZero() bool { return id == wireID{} }
