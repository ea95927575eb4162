package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// appendFrame appends a final, masked frame around payload, which may not be part of dst.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	switch n := len(payload); {
	case n <= 125:
		dst = append(dst, 0x80|opcode, 0x80|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|opcode, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|opcode, 0x80|127), uint64(n))
	}
	var mask [4]byte
	// A mask keeps a script in a browser from choosing the bytes on the wire (RFC 6455
	// section 10.3); here there is none, and any will do.
	binary.NativeEndian.PutUint32(mask[:], rand.Uint32())
	dst = append(dst, mask[:]...)
	for i, b := range payload {
		dst = append(dst, b^mask[i&3])
	}
	return dst
}

var errFrame = errors.New("not a frame that a server may send")

// An inbox cuts what a server sends into messages and control frames.
type inbox struct {
	from io.Reader
	max  int   // bytes of a frame, and of a message in parts
	at   int64 // when the bytes of the newest Read came, by clock
	// clock is called once a Read, so that a frame that waited in the buffer is not
	// charged with the handling of those before it.
	clock func() int64

	buf        []byte
	start, end int // of what was read and not yet handed out
	parts      []byte
	partsOp    byte // 0: no message in parts has begun
}

// The buffer of a client that hears little stays small; thousands of them do not
// fill the board that is to be measured.
const (
	minBuffer = 1 << 10
	maxBuffer = 64 << 10 // unless a frame is longer
)

// next returns the next message or control frame. The payload is valid until the next call.
func (in *inbox) next() (opcode byte, payload []byte, err error) {
	for {
		first, payload, err := in.frame()
		if err != nil {
			return 0, nil, err
		}
		op, final := first&0xf, first&0x80 != 0
		switch {
		case op >= opClose && !final, op == opContinuation && in.partsOp == 0,
			(op == opText || op == opBinary) && in.partsOp != 0:
			return 0, nil, fmt.Errorf("%w: opcode %d out of place", errFrame, op)
		case op >= opClose, final && op != opContinuation:
			return op, payload, nil
		case op != opContinuation:
			in.partsOp, in.parts = op, append(in.parts[:0], payload...)
		default:
			if len(in.parts)+len(payload) > in.max {
				return 0, nil, fmt.Errorf("%w: a message of more than %d bytes in parts", errFrame, in.max)
			}
			in.parts = append(in.parts, payload...)
			if final {
				op, in.partsOp = in.partsOp, 0
				return op, in.parts, nil
			}
		}
	}
}

// frame returns the first byte and the payload of the next frame.
func (in *inbox) frame() (first byte, payload []byte, err error) {
	if err := in.need(2); err != nil {
		return 0, nil, err
	}
	h := in.buf[in.start:]
	if h[0]&0x70 != 0 || h[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("%w: its header is % x", errFrame, h[:2])
	}
	first = h[0]
	header, n := 2, uint64(h[1])
	switch n {
	case 126:
		header = 4
	case 127:
		header = 10
	}
	if header > 2 {
		if err := in.need(header); err != nil {
			return 0, nil, err
		}
		if h = in.buf[in.start:]; header == 4 {
			n = uint64(binary.BigEndian.Uint16(h[2:]))
		} else {
			n = binary.BigEndian.Uint64(h[2:])
		}
	}
	if n > uint64(in.max) {
		return 0, nil, fmt.Errorf("%w: %d bytes long, over the limit of %d", errFrame, n, in.max)
	}
	if err := in.need(header + int(n)); err != nil {
		return 0, nil, err
	}
	payload = in.buf[in.start+header : in.start+header+int(n)]
	in.start += header + int(n)
	return first, payload, nil
}

// need reads until n bytes are there.
func (in *inbox) need(n int) error {
	for in.end-in.start < n {
		if in.start == in.end {
			in.start, in.end = 0, 0
		}
		if in.start+n > len(in.buf) {
			in.end = copy(in.buf, in.buf[in.start:in.end])
			in.start = 0
			if n > len(in.buf) {
				in.grow(max(n, minBuffer))
			}
		}
		got, err := in.from.Read(in.buf[in.end:])
		in.at = in.clock()
		in.end += got
		if in.end == len(in.buf) && len(in.buf) < maxBuffer {
			in.grow(2 * len(in.buf)) // more waits than fits
		}
		if err != nil && in.end-in.start < n {
			if errors.Is(err, io.EOF) && in.end > in.start {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func (in *inbox) grow(n int) {
	bigger := make([]byte, n)
	in.end = copy(bigger, in.buf[in.start:in.end])
	in.start, in.buf = 0, bigger
}
