package chat

import (
	"testing"
	"unsafe"
)

// TestSessionSize: a session fits 128 bytes, a size of which the runtime has pages. There is one for each connection of one
// room, and of what a handshake throws away little was of that size when it was measured: so the pages of sessions are full.
func TestSessionSize(t *testing.T) {
	if size := unsafe.Sizeof(session{}); unsafe.Sizeof(uintptr(0)) == 8 && size > 128 {
		t.Errorf("a session takes %d bytes", size)
	}
}
