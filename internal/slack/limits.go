package slack

import (
	"net/http"
	"sync"
	"time"
)

// limits remembers which methods Slack told us not to call for a while. Its limits hold for the whole
// workspace and each method, except chat.postMessage, which is counted by channel and not held here.
type limits struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (l *limits) set(method string, f *failure) {
	if method == methodPost || f.status != http.StatusTooManyRequests || f.after <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil {
		l.until = map[string]time.Time{}
	}
	l.until[method] = time.Now().Add(f.after)
}

func (l *limits) wait(method string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, time.Until(l.until[method]))
}
