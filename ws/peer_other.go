//go:build !linux

package ws

import (
	"net"
	"time"
)

// Elsewhere TCP decides when a peer is gone.
func setUserTimeout(net.Conn, time.Duration) {}
