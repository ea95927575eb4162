package ws

import (
	"errors"
	"sync"
)

// A connection over TLS on an event loop: see underTLS. The loop reads; whoever holds the lock of the outbox writes; crypto/tls
// itself writes a little now and then while the loop reads.

const (
	// maxRecord is what a record of TLS carries at most, in bytes.
	maxRecord = 16 << 10
	// fineInput is what a turn reads at most, in bytes, of a connection whose records are short, on average shorter than shortRecord: each may be
	// a change of keys, which costs as much as opening some KB. A connection that is new is taken for one.
	fineInput   = 2 << 10
	shortRecord = 256
	// maxOpened is what a turn's input comes to at most, in bytes, once it is open: the input, and a record of which
	// all but a byte came before.
	maxOpened = inputSize + maxRecord
	// maxSealed is what waits sealed for a peer at most, in bytes: a record with its header and tag, and behind it answers to
	// what the peer asks of TLS itself. A peer that asks for more of them than it takes is cut.
	maxSealed = 2 * maxRecord
)

// errNothingYet is what crypto/tls reads when there is nothing. It keeps what it has, and goes on with the next Read.
var errNothingYet error = nothingYet{}

type nothingYet struct{}

func (nothingYet) Error() string   { return "ws: nothing to read yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true } // what crypto/tls asks

var errUntaken = errors.New("ws: the peer does not take what TLS has for it")

func (u *underTLS) take(p []byte) (n int, err error) {
	switch {
	case len(u.in) > 0:
		n = copy(p, u.in)
		u.in = u.in[n:]
		u.records.pass(p[:n])
		return n, nil
	case u.inErr != nil:
		return 0, u.inErr
	}
	return 0, errNothingYet
}

// unseal opens what came, and what came before and was no whole record, into buf, which holds maxOpened bytes. err stands behind
// what came, and is returned, or what TLS says is wrong. hollow is how many records there were that held nothing for who reads.
func (u *underTLS) unseal(buf, input []byte, err error) (opened []byte, hollow int, _ error) {
	u.in, u.inErr = input, err
	n, ended := 0, u.records.ended
	defer func() {
		all := int(u.records.ended - ended)
		hollow = max(all-hollow, 0) // the others were counted so far
		if all > 0 {                // else it is half a record, which says nothing
			u.coarse = all*shortRecord < len(input)
		}
	}()
	for n < len(buf) {
		k, err := u.tls.Read(buf[n:]) // of one record
		if n += k; k > 0 {
			hollow++
		}
		if err == errNothingYet {
			break
		}
		if err != nil {
			return buf[:n], hollow, err
		}
	}
	return buf[:n], hollow, nil
}

var sealedBuffers = sync.Pool{New: func() any { return new([maxRecord + 512]byte) }}

// keep takes what crypto/tls has sealed.
func (u *underTLS) keep(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.out)+len(p) > maxSealed {
		return 0, errUntaken
	}
	if u.out == nil {
		u.out = sealedBuffers.Get().(*[maxRecord + 512]byte)[:0]
	}
	u.out = append(u.out, p...)
	return len(p), nil
}

// try implements outbox.Transport.Try with send, which writes to the kernel.
func (u *underTLS) try(p []byte, send func(p []byte) (int, error)) (n int, full bool, err error) {
	if full, err = u.flush(send); full || err != nil || len(p) == 0 {
		return 0, full, err
	}
	if n, err = u.tls.Write(p[:min(len(p), maxRecord)]); err != nil {
		return 0, false, err
	}
	full, err = u.flush(send)
	return n, full, err
}

// flush writes what is sealed. full says that some of it is left.
func (u *underTLS) flush(send func(p []byte) (int, error)) (full bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.out) == 0 {
		return false, nil
	}
	n, err := send(u.out)
	if err != nil {
		return false, err
	}
	u.out = append(u.out[:0], u.out[n:]...)
	if len(u.out) > 0 {
		return true, nil
	}
	if cap(u.out) == maxRecord+512 {
		sealedBuffers.Put((*[maxRecord + 512]byte)(u.out[:maxRecord+512]))
	}
	u.out = nil
	return false, nil
}

// holds reports whether something is sealed and not written.
func (u *underTLS) holds() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.out) > 0
}

// end says that nothing more is sent, and reports whether that was written: the writing may end.
func (u *underTLS) end(send func(p []byte) (int, error)) (written bool) {
	_ = u.tls.CloseWrite() // it fails if something else has ended it before
	full, err := u.flush(send)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hangUp = full
	return !full && err == nil
}
