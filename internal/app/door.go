package app

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Door is a listening address that outlives the App behind it: while one App is taken down and the next is made,
// connections wait in it and none is refused. The zero Door is closed.
type Door struct {
	mu    sync.Mutex
	tcp   *net.TCPListener
	asked netip.AddrPort // what was asked for; its port may be 0
}

// open gives the listener for one App, opening the address when it is not open yet. Closing what it gives leaves the
// address open.
func (d *Door) open(at netip.AddrPort) (net.Listener, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tcp != nil && d.asked == at {
		return &turn{TCPListener: d.tcp, over: make(chan struct{})}, d.tcp.SetDeadline(time.Time{})
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(errors.New("the network gave no TCP listener"), l.Close())
	}
	if d.tcp != nil {
		if err := d.tcp.Close(); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	d.tcp, d.asked = tcp, at
	return &turn{TCPListener: tcp, over: make(chan struct{})}, nil
}

// Close closes the address.
func (d *Door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tcp == nil {
		return nil
	}
	err := d.tcp.Close()
	d.tcp = nil
	return err
}

// turn is the time that one App has a Door.
type turn struct {
	*net.TCPListener

	once sync.Once
	over chan struct{}
}

// Accept implements net.Listener.
func (t *turn) Accept() (net.Conn, error) {
	c, err := t.TCPListener.Accept()
	if err != nil {
		select {
		case <-t.over:
			return nil, net.ErrClosed
		default:
		}
	}
	return c, err
}

// Close ends the turn.
func (t *turn) Close() error {
	err := net.ErrClosed
	t.once.Do(func() {
		close(t.over)
		err = t.SetDeadline(time.Unix(1, 0))
	})
	return err
}

// door is the one of the options, or one that is closed with the App.
func (a *App) door(o Options) *Door {
	if o.Door != nil {
		return o.Door
	}
	d := &Door{}
	a.onClose("listen address", d.Close)
	return d
}
