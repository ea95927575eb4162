package load

import (
	"hash/crc32"
	"strconv"
)

// The content of a message is ASCII that neither format escapes:
//
//	rrrr pppp ssssssss tttttttttttt cccccccc xxxxx...
//
// without the spaces: room, publisher and sequence number, the time at which the message was
// due (nanoseconds since the start of the run), a CRC-32C of all the rest and the
// id of the run, all in hexadecimal, and filler. The checksum tells damage from
// another number, and a message of this run from any other.
const (
	roomEnd = 4
	pubEnd  = roomEnd + 4
	seqEnd  = pubEnd + 8
	dueEnd  = seqEnd + 12
	sumEnd  = dueEnd + 8

	// MinSize is the least content that can be checked, in bytes.
	MinSize = sumEnd

	maxRooms      = 1 << 16
	maxPublishers = 1 << 16
)

const filler = "the quick brown fox jumps over the lazy dog. "

// Castagnoli has instructions of its own on amd64 and arm64.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A mark is what a content says.
type mark struct {
	room, pub int
	seq       uint32
	due       int64
}

// appendContent appends a content of size bytes.
func appendContent(dst []byte, run uint32, m mark, size int) []byte {
	begin := len(dst)
	dst = appendHex(dst, uint64(m.room), roomEnd)
	dst = appendHex(dst, uint64(m.pub), pubEnd-roomEnd)
	dst = appendHex(dst, uint64(m.seq), seqEnd-pubEnd)
	dst = appendHex(dst, uint64(m.due), dueEnd-seqEnd)
	dst = appendHex(dst, 0, sumEnd-dueEnd)
	for left := size - MinSize; left > 0; {
		n := min(left, len(filler))
		dst = append(dst, filler[:n]...)
		left -= n
	}
	content := dst[begin:]
	appendHex(content[:dueEnd], uint64(checksum(run, content)), sumEnd-dueEnd)
	return dst
}

func checksum(run uint32, content []byte) uint32 {
	sum := crc32.Update(run, castagnoli, content[:dueEnd])
	return crc32.Update(sum, castagnoli, content[sumEnd:])
}

// readContent returns what a content says; ok is false if it is not one of this
// run, as it was sent.
func readContent(run uint32, content []byte, size int) (m mark, ok bool) {
	if len(content) != size {
		return m, false
	}
	sum, ok := readHex(content[dueEnd:sumEnd])
	if !ok || uint32(sum) != checksum(run, content) {
		return m, false
	}
	room, ok1 := readHex(content[:roomEnd])
	pub, ok2 := readHex(content[roomEnd:pubEnd])
	seq, ok3 := readHex(content[pubEnd:seqEnd])
	due, ok4 := readHex(content[seqEnd:dueEnd])
	return mark{int(room), int(pub), uint32(seq), int64(due)}, ok1 && ok2 && ok3 && ok4
}

func appendHex(dst []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, "0123456789abcdef"[v>>(4*i)&0xf])
	}
	return dst
}

func readHex(p []byte) (v uint64, ok bool) {
	for _, c := range p {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}

func username(index int) string { return "bench-" + strconv.Itoa(index) }
