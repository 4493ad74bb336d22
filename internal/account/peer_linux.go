package account

import (
	"net"
	"syscall"
)

// peerOf asks the kernel for the user at the other end of a socket (SO_PEERCRED).
func peerOf(conn net.Conn) (uint32, bool) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *syscall.Ucred
	err = raw.Control(func(fd uintptr) {
		cred, _ = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED) // nil where it fails
	})
	if err != nil || cred == nil {
		return 0, false
	}
	return cred.Uid, true
}
