//go:build !linux

package account

import "net"

// peerOf knows nothing: the socket's directory lets its owner in alone.
func peerOf(net.Conn) (uint32, bool) { return 0, false }
