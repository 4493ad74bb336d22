package account

import (
	"context"
	"fmt"
	"net"
	"os/user"
	"strconv"
)

type peerKey struct{}

// WithPeer is the context of a connection to the socket, with who opened the other end as the system tells it.
// It is made for http.Server's ConnContext.
func WithPeer(ctx context.Context, conn net.Conn) context.Context {
	uid, ok := peerOf(conn)
	if !ok {
		return ctx
	}
	name := fmt.Sprintf("uid %d", uid)
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		name = fmt.Sprintf("%s (uid %d)", u.Username, uid)
	}
	return context.WithValue(ctx, peerKey{}, name)
}

// Peer is the system's user at the other end of the socket; false where the system does not tell.
func Peer(ctx context.Context) (string, bool) {
	name, ok := ctx.Value(peerKey{}).(string)
	return name, ok
}
