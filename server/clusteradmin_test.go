package server

import (
	"bytes"
	"testing"
)

// TestClusterAdmin: what an operator asks a node of a cluster for is answered as by a server that is alone.
func TestClusterAdmin(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := clusterNode(t, r, "a", "")
	if status, body := a.answer("POST", "/chat/room/den/messages", "hello"); status != 201 {
		t.Fatalf("POST: %d %s", status, body)
	}
	var copied bytes.Buffer
	if err := (backend{a.Server}).Backup(&copied); err != nil || copied.Len() == 0 {
		t.Errorf("a backup of %d bytes, %v", copied.Len(), err)
	}
	if room, ok := (backend{a.Server}).Room("den"); !ok || room.Messages != 1 {
		t.Errorf("room %+v, %t", room, ok)
	}
}
