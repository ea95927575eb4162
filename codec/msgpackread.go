package codec

import (
	"encoding/binary"
	"unicode/utf8"

	"edgechat/refusal"
)

// The reader of this file is for frames from clients and trusts no size that
// they declare. msgp's own would do on 64 bits; on 32 bits, which is half of the
// boards, v1.6.5 takes a size of 2^31 and more for a negative number, and
// slices with it: "db ff ff ff ff" for a string is a panic.
//
// The format: https://github.com/msgpack/msgpack/blob/master/spec.md

// readMsgPack finds the fields of one MessagePack map that is all of data. Its
// keys must be strings, and a known one may be there once.
func (f *fields) readMsgPack(data []byte) *refusal.Error {
	r := msgpackReader{data: data}
	top, problem := r.head()
	if problem != nil {
		return problem
	}
	if top.kind != kindMap {
		return invalid("a message is a MessagePack map, not %s", top.describe())
	}
	for n := top.items / 2; n > 0; n-- {
		at := r.pos
		name, problem := r.head()
		if problem != nil {
			return problem
		}
		if name.kind != kindString {
			return invalid("the keys of the MessagePack map must be strings, not %s as at byte %d",
				name.describe(), at)
		}
		known := f.named(string(name.body))
		lead := r.peek()
		v, problem := r.head()
		if problem != nil {
			return problem
		}
		if problem := r.skip(v.items); problem != nil {
			return problem
		}
		switch {
		case known == nil:
		case v.kind == kindString:
			known.set(value{kind: kindString, text: text{raw: v.body, size: len(v.body), invalid: !utf8.Valid(v.body)}})
		case v.kind == kindInt:
			known.set(v.integer(lead))
		default:
			known.set(value{kind: v.kind, yes: lead == 0xc3})
		}
	}
	if r.pos < len(data) {
		return invalid("%d bytes after the end of the MessagePack map at byte %d; a frame holds one map",
			len(data)-r.pos, r.pos)
	}
	return nil
}

// A msgpackReader is a place in the input.
type msgpackReader struct {
	data []byte
	pos  int
}

// A msgpackValue is a value without those that it holds.
type msgpackValue struct {
	kind  kind   // kindAbsent for nil
	body  []byte // of what holds no others, without its header
	items uint64 // how many values follow that belong to it
}

// describe names the kind for an error message.
func (v *msgpackValue) describe() kind {
	if v.kind == kindAbsent {
		return "nil"
	}
	return v.kind
}

// integer makes a value of an integer, which lead began.
func (v *msgpackValue) integer(lead byte) value {
	n := uint64(lead) // a fixint
	if len(v.body) > 0 {
		n = 0
		for _, b := range v.body {
			n = n<<8 | uint64(b)
		}
	}
	negative := lead >= 0xe0 || lead >= 0xd0 && v.body[0]&0x80 != 0
	return value{kind: kindInt, number: n, whole: !negative}
}

// peek returns the byte that is next, 0 at the end.
func (r *msgpackReader) peek() byte {
	if r.pos >= len(r.data) {
		return 0
	}
	return r.data[r.pos]
}

func (r *msgpackReader) cut() *refusal.Error {
	return invalid("unexpected end of MessagePack at byte %d", len(r.data))
}

// skip reads n values and all that they hold. It does not recurse: what a value
// holds is added to what is still to be read. A value takes a byte at least, so
// that whatever count is declared, the work ends with the input.
func (r *msgpackReader) skip(n uint64) *refusal.Error {
	for ; n > 0; n-- {
		v, problem := r.head()
		if problem != nil {
			return problem
		}
		n += v.items
	}
	return nil
}

// head reads one value, but not those that it holds.
func (r *msgpackReader) head() (msgpackValue, *refusal.Error) {
	if r.pos >= len(r.data) {
		return msgpackValue{}, r.cut()
	}
	lead := r.data[r.pos]
	r.pos++
	switch {
	case lead <= 0x7f || lead >= 0xe0:
		return r.body(kindInt, 0)
	case lead <= 0x8f:
		return msgpackValue{kind: kindMap, items: 2 * uint64(lead&0x0f)}, nil
	case lead <= 0x9f:
		return msgpackValue{kind: kindArray, items: uint64(lead & 0x0f)}, nil
	case lead <= 0xbf:
		return r.body(kindString, uint64(lead&0x1f))
	}
	switch lead {
	case 0xc0:
		return r.body(kindAbsent, 0)
	case 0xc2, 0xc3:
		return r.body(kindBool, 0)
	case 0xc4, 0xc5, 0xc6: // bin 8, 16, 32
		return r.sized(kindBinary, 1<<(lead-0xc4), 0)
	case 0xc7, 0xc8, 0xc9: // ext 8, 16, 32, with a byte for the type
		return r.sized(kindExt, 1<<(lead-0xc7), 1)
	case 0xca, 0xcb: // float 32, 64
		return r.body(kindFloat, 4<<(lead-0xca))
	case 0xcc, 0xcd, 0xce, 0xcf: // uint 8, 16, 32, 64
		return r.body(kindInt, 1<<(lead-0xcc))
	case 0xd0, 0xd1, 0xd2, 0xd3: // int 8, 16, 32, 64
		return r.body(kindInt, 1<<(lead-0xd0))
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8: // fixext 1, 2, 4, 8, 16
		return r.body(kindExt, 1+1<<(lead-0xd4))
	case 0xd9, 0xda, 0xdb: // str 8, 16, 32
		return r.sized(kindString, 1<<(lead-0xd9), 0)
	case 0xdc, 0xdd: // array 16, 32
		n, problem := r.size(2 << (lead - 0xdc))
		return msgpackValue{kind: kindArray, items: n}, problem
	case 0xde, 0xdf: // map 16, 32
		n, problem := r.size(2 << (lead - 0xde))
		return msgpackValue{kind: kindMap, items: 2 * n}, problem
	}
	return msgpackValue{}, invalid("byte %d is 0x%02x, which is not MessagePack", r.pos-1, lead)
}

// sized reads a body that has its size before it, in width bytes, to which
// more are added.
func (r *msgpackReader) sized(k kind, width int, more uint64) (msgpackValue, *refusal.Error) {
	n, problem := r.size(width)
	if problem != nil {
		return msgpackValue{}, problem
	}
	return r.body(k, n+more)
}

func (r *msgpackReader) body(k kind, n uint64) (msgpackValue, *refusal.Error) {
	rest := r.data[r.pos:]
	if n > uint64(len(rest)) {
		return msgpackValue{}, r.cut()
	}
	r.pos += int(n)
	return msgpackValue{kind: k, body: rest[:n]}, nil
}

// size reads an unsigned number of width bytes: 1, 2 or 4.
func (r *msgpackReader) size(width int) (uint64, *refusal.Error) {
	rest := r.data[r.pos:]
	if len(rest) < width {
		return 0, r.cut()
	}
	r.pos += width
	switch width {
	case 1:
		return uint64(rest[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(rest)), nil
	}
	return uint64(binary.BigEndian.Uint32(rest)), nil
}
