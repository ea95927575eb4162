package codec

import (
	"strconv"
	"strings"

	"edgechat/refusal"
)

const (
	maxEpoch = 16                // bytes of ID.Epoch
	maxID    = maxEpoch + 1 + 20 // bytes of the text of any ID
	limitID  = uint64(1) << 53   // offsets are below it: JavaScript holds no greater whole number exactly
)

// ParseID reads the text of an ID, "<epoch>-<offset>": an epoch of 1-16 of
// [A-Za-z0-9] and an offset in decimal below 2^53, without sign or leading
// zeros, so that an ID has one text. The error is a *refusal.Error of refusal.InvalidQuery.
func ParseID(s string) (ID, error) {
	id, bad := parseID(s)
	if bad != "" {
		return ID{}, refusal.New(refusal.InvalidQuery, bad)
	}
	return id, nil
}

// parseID returns what is wrong with s instead of an error.
func parseID(s string) (id ID, bad string) {
	if len(s) > maxID {
		return ID{}, badID(s, "it is too long")
	}
	epoch, digits, found := strings.Cut(s, "-")
	switch {
	case s == "":
		return ID{}, badID(s, "it is empty")
	case !found:
		return ID{}, badID(s, `there is no "-" in it`)
	case !validEpoch(epoch):
		return ID{}, badID(s, `before the "-" go 1-16 ASCII letters and digits`)
	case digits == "" || len(digits) > 1 && digits[0] == '0' || strings.Trim(digits, "0123456789") != "":
		return ID{}, badID(s, `after the "-" goes a whole number without sign or leading zeros`)
	}
	offset, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || offset >= limitID {
		return ID{}, badID(s, "its number is not below 2^53")
	}
	return ID{Epoch: epoch, Offset: offset}, ""
}

func badID(s, why string) string {
	return quote(s) + " is no message id like k3f9q2-1042: " + why
}

func validEpoch(s string) bool {
	if s == "" || len(s) > maxEpoch {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z') {
			return false
		}
	}
	return true
}

// Append appends the text of id to dst: nothing for the zero ID, which names
// neither a message nor the start of a room.
func (id ID) Append(dst []byte) []byte {
	if id == (ID{}) {
		return dst
	}
	dst = append(dst, id.Epoch...)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, id.Offset, 10)
}

// String returns what Append appends.
func (id ID) String() string {
	var text [maxID]byte
	return string(id.Append(text[:0]))
}
