package ws

import "edgechat/ws/internal/frame"

// MaxFrameHeader is the size of the longest header of a server's frame.
const MaxFrameHeader = frame.MaxHeader

// BeginFrame begins a frame whose payload is appended in place, which saves a copy through a
// second buffer; EndFrame ends it.
func BeginFrame(dst []byte) []byte { return frame.Begin(dst) }

// EndFrame writes the header of the frame that BeginFrame began at len(dst)
// start, with all that was appended since as its payload.
func EndFrame(dst []byte, start int, binary bool) []byte {
	return frame.End(dst, start, frame.DataOpcode(binary))
}
