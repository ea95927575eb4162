package ws

import "edgechat/ws/internal/frame"

// MaxFrameHeader is the size of the longest header of a server's frame.
const MaxFrameHeader = frame.MaxHeader

// AppendFrame appends one unmasked, final frame (RFC 6455 section 5.2): text, or binary.
func AppendFrame(dst []byte, binary bool, payload []byte) []byte {
	return frame.Append(dst, frame.DataOpcode(binary), payload)
}

// BeginFrame begins a frame whose payload is appended in place, which saves a copy through a
// second buffer; EndFrame ends it.
func BeginFrame(dst []byte) []byte { return frame.Begin(dst) }

// EndFrame writes the header of the frame that BeginFrame began at len(dst)
// start, with all that was appended since as its payload.
func EndFrame(dst []byte, start int, binary bool) []byte {
	return frame.End(dst, start, frame.DataOpcode(binary))
}

// FrameLen returns the length of the unmasked frame that p begins with, its
// header included.
func FrameLen(p []byte) int { return frame.Len(p) }
