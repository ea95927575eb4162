package ws

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"edgechat/refusal"
)

// failedReason is what a peer learns of an error or panic of the handler.
const failedReason = "the server failed on this connection"

// normalEnd reports whether a peer's close code is a normal end; 0 is that of a close
// frame without a code too.
func normalEnd(code uint16) bool {
	return code == 0 || code == refusal.CloseNormal || code == refusal.CloseGoingAway || code == refusal.CloseNoStatus
}

// Close sends a close frame behind what is queued for this connection and then
// cuts it as soon as the peer has answered, or after Config.CloseTimeout. What is
// pending in the attached Stream is dropped. A reason longer than 123 bytes is cut. Only the first Close counts.
func (c *core) Close(code uint16, reason string) { c.close(code, reason, false) }

// close is Close; with drain the close frame comes after what the Stream has.
func (c *core) close(code uint16, reason string, drain bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(code, reason, drain)
	c.flushLocked()
}

func (c *core) closeLocked(code uint16, reason string, drain bool) {
	if c.closing {
		return
	}
	for len(reason) > maxControl-2 || !utf8.ValidString(reason) {
		reason = strings.ToValidUTF8(reason[:min(len(reason), maxControl-2)], "")
	}
	c.closing, c.drain = true, drain
	if code != 0 {
		c.farewell = append(binary.BigEndian.AppendUint16(nil, code), reason...)
	}
	if !drain {
		c.streams = nil
	}
	c.wakeLocked()
}

func (c *core) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// endLocked queues the close frame.
func (c *core) endLocked() {
	c.ended = true
	c.streams = nil
	c.out = append(appendHeader(c.out, opClose, len(c.farewell)), c.farewell...)
	c.farewell = nil
}

// gwsCloses is called with the payload of the close frame that gws wants to
// send: its echo of the peer's, or its verdict on a frame.
func (c *core) gwsCloses(payload []byte) {
	if c.left || c.readErr != nil {
		return // gws has a 1000 for a failed read, with its text, whatever failed
	}
	var code uint16
	if len(payload) >= 2 {
		code = binary.BigEndian.Uint16(payload)
	}
	// gws adds a text to its verdicts, and none to its echoes.
	if len(payload) <= 2 {
		c.close(code, "", false)
		return
	}
	var reason string
	switch code {
	case refusal.CloseProtocolError:
		reason = "not a valid WebSocket frame (RFC 6455 section 5)"
	case refusal.CloseInvalidData:
		reason = "text is not valid UTF-8"
	case refusal.CloseTooBig:
		reason = fmt.Sprintf("message is longer than %d bytes", c.h.limit())
	default:
		reason = string(payload[2:])
	}
	c.violated(code, reason)
}

// closeWritten is called when the close frame is with the kernel: the peer has
// CloseTimeout to answer.
func (c *core) closeWritten() {
	if c.hangUp {
		hangUpDescriptor(c.fd)
	}
	time.AfterFunc(c.rt.cfg.CloseTimeout, c.kill)
}

// finish writes what is left, close frame included, and waits for the peer to
// hang up, so that its last bytes do not turn our close frame into a reset.
// It runs on the goroutine that has read.
func (c *core) finish() {
	if c.readErr != nil && !c.left {
		c.mu.Lock()
		c.streams = nil
		c.flushLocked() // what a peer that hung up early will still take
		c.mu.Unlock()
		return
	}
	for {
		c.mu.Lock()
		if c.dead {
			c.mu.Unlock()
			return
		}
		if !c.writing {
			c.mu.Unlock()
			break
		}
		idle := c.waitLocked()
		c.mu.Unlock()
		<-idle // the sweeper cuts a peer that takes nothing
	}
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(c.rt.cfg.CloseTimeout))
	var scrap [256]byte
	for {
		if _, err := c.nc.Read(scrap[:]); err != nil {
			return
		}
	}
}

// kill cuts the connection. Whoever reads or writes it gets an error.
func (c *core) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killLocked()
}

func (c *core) killLocked() {
	if c.dead {
		return
	}
	c.dead = true
	c.out, c.streams = nil, nil
	c.wakeLocked()
	if c.loop != nil {
		cutDescriptor(c.fd) // the loop sees the end, and closes it
		return
	}
	_ = c.nc.Close()
}

// slowLocked closes a peer that takes too little with 1013. Its kernel buffer is full, so it
// is given some more of it for the rest of a frame that was begun, and for the close frame,
// which it finds when it reads again.
func (c *core) slowLocked(reason string) {
	if c.closing || c.dead {
		return
	}
	c.rt.stats.slow.Add(1)
	c.closeLocked(refusal.CloseTryAgainLater, reason, false)
	if c.loop != nil {
		widenDescriptor(c.fd, 2*c.rt.cfg.SendBuffer)
	} else if sized, ok := c.nc.(writeBuffered); ok {
		_ = sized.SetWriteBuffer(2 * c.rt.cfg.SendBuffer)
	}
	time.AfterFunc(c.rt.cfg.CloseTimeout, c.kill)
}
