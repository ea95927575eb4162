package store

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"strconv"
)

// An epoch is a run of numbers that no crash can break: each ID of it was given
// to at most one message. A store continues its epoch if it was closed in order, and
// opens a new one otherwise, since it cannot know which numbers it gave to messages
// that were delivered and then lost. So the file is marked as not closed when it is opened, not
// by the first commit: a message is delivered before that, and the mark would come too late.
type epoch struct {
	n     uint64 // 1 for the first, in the order of time
	name  string // what stands in IDs
	lossy bool   // it was opened because stored messages were lost: of a cursor from before nothing can be proved
	// It was opened because the file is a copy, or was one: what is above the end of the file may
	// have been given elsewhere, and is not known here.
	forked bool
}

// epochs are those that are known, oldest first; the last is the present one.
// The slice is never changed: a new one is published in its place.
type epochs []epoch

const (
	maxEpochs = 64 // an older one is forgotten, and its cursors are not recovered
	// The sequence of an epoch's first message is at least n<<epochShift, so that no
	// sequence is used again after a crash, and what a stale page holds is
	// never taken for a message of the present. Leaves 2^40 messages for an epoch.
	epochShift = 40
)

func (e epochs) now() epoch { return e[len(e)-1] }

// oldest returns the first n that is known, 0 if none is.
func (e epochs) oldest() uint64 {
	if len(e) == 0 {
		return 0
	}
	return e[0].n
}

func (e epochs) find(name string) (epoch, bool) {
	for i := len(e) - 1; i >= 0; i-- {
		if e[i].name == name {
			return e[i], true
		}
	}
	return epoch{}, false
}

// provable returns the first n whose cursors can prove anything.
func (e epochs) provable() uint64 {
	for i := len(e) - 1; i >= 0; i-- {
		if e[i].lossy {
			return e[i].n
		}
	}
	return 0
}

// forked returns the first n after this one from which on the file is a copy, if there is one.
func (e epochs) forked(after uint64) (n uint64, ok bool) {
	for i := range e {
		if e[i].n > after && e[i].forked {
			return e[i].n, true
		}
	}
	return 0, false
}

// next returns the epochs with a new one at the end, its n at least atLeast and its flags those of why.
func (e epochs) next(why epoch, atLeast uint64) epochs {
	n := max(1, atLeast)
	if len(e) > 0 {
		n = max(n, e.now().n+1)
	}
	name := newEpochName()
	for _, taken := e.find(name); taken; _, taken = e.find(name) {
		name = newEpochName()
	}
	next := append(slices.Clone(e), epoch{n: n, name: name, lossy: why.lossy, forked: why.forked})
	return next[max(0, len(next)-maxEpochs):]
}

// newEpochName returns eight of 36 characters: 64 known names meet with a chance of 1 in 1e9.
func newEpochName() string {
	var b [8]byte
	rand.Read(b[:])                // never fails
	const first = 78_364_164_096   // 36^7: no name is shorter
	const last = 2_821_109_907_456 // 36^8
	return strconv.FormatUint(first+binary.LittleEndian.Uint64(b[:])%(last-first), 36)
}
