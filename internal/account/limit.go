package account

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// How many wrong passwords are taken at once, and how soon one more. An address may be many people's, and an
// account's limit is what an attacker of many addresses can use to keep its owner out for a while.
const (
	accountBurst = 10
	accountEvery = 30 * time.Second
	addressBurst = 30
	addressEvery = 10 * time.Second
)

// mostLimits bounds the memory of who tried: beyond it those are forgotten that have most tries left.
const mostLimits = 20000

// LimitError says that there were too many wrong passwords.
type LimitError struct{ Wait time.Duration }

func (e *LimitError) Error() string {
	return fmt.Sprintf("too many tries: wait %d seconds", int(e.Wait.Round(time.Second)/time.Second))
}

// limits counts tries to sign in, for each account and each address.
type limits struct {
	now func() time.Time

	mu sync.Mutex
	// full is when each key has all its tries again.
	full map[string]time.Time
}

func newLimits(now func() time.Time) *limits { return &limits{now: now, full: map[string]time.Time{}} }

// take takes one try of an account and of an address, before it is known whether the password is right.
func (l *limits) take(name, address string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.forget(now)
	one, two := "account "+strings.ToLower(name), "address "+networkOf(address)
	if wait := l.wait(one, now, accountBurst, accountEvery); wait > 0 {
		return &LimitError{wait}
	}
	if wait := l.wait(two, now, addressBurst, addressEvery); wait > 0 {
		return &LimitError{wait}
	}
	l.charge(one, now, accountEvery)
	l.charge(two, now, addressEvery)
	return nil
}

// give gives back the tries of someone whose password was right.
func (l *limits) give(name, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.full, "account "+strings.ToLower(name))
	key := "address " + networkOf(address)
	l.full[key] = l.full[key].Add(-addressEvery)
}

// wait is how long until the key has a try, 0 where it has one.
func (l *limits) wait(key string, now time.Time, burst int, every time.Duration) time.Duration {
	full, ok := l.full[key]
	if !ok || !full.After(now) {
		return 0
	}
	return max(0, full.Sub(now)-time.Duration(burst-1)*every)
}

func (l *limits) charge(key string, now time.Time, every time.Duration) {
	from := l.full[key]
	if from.Before(now) {
		from = now
	}
	l.full[key] = from.Add(every)
}

func (l *limits) forget(now time.Time) {
	if len(l.full) < mostLimits {
		return
	}
	for ahead := time.Duration(0); len(l.full) >= mostLimits; ahead += accountEvery {
		for key, at := range l.full {
			if at.Sub(now) <= ahead {
				delete(l.full, key)
			}
		}
	}
}

// networkOf is the address, or of IPv6 the network that one customer has.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
