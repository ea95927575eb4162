package hub

import (
	"testing"
	"unsafe"
)

// TestMemberSize: a member fits 112 bytes, a size of which the runtime has pages. There is one for each connection and room.
func TestMemberSize(t *testing.T) {
	if size := unsafe.Sizeof(Member{}); size > 112 {
		t.Errorf("a member takes %d bytes", size)
	}
}
