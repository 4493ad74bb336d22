package web

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/settings"
)

// tested are secrets that were typed to be tested: the page that shows the result does not get them back, and who keeps
// what was tested need not type them again. They are in memory only, for a while, and good for the same user and the
// same target alone. The zero tested has none.
type tested struct {
	mu   sync.Mutex
	held map[string]testedSecrets
}

type testedSecrets struct {
	who, target string
	until       time.Time
	values      map[string]string
}

const (
	testedLife = 15 * time.Minute
	mostTested = 100
)

// secretFields are the keys of secrets in the forms, and targetFields where they are sent to.
var (
	secretFields = []string{"api_key", "password", "bot_token", "webhook_url"}
	targetFields = []string{"name", "kind", "urls", "cloud_id", "proxy_url", "ca_file", "ca_fingerprint", "username", "api_url"}
)

func targetOf(v settings.Values) string {
	out := ""
	for _, key := range targetFields {
		out += fmt.Sprintf("%s=%q\n", key, fmt.Sprint(v[key]))
	}
	return out
}

// keep holds the secrets of v, and gives what they are asked for by; empty without any.
func (t *tested) keep(who string, v settings.Values) string {
	one := testedSecrets{who: who, target: targetOf(v), until: time.Now().Add(testedLife), values: map[string]string{}}
	for _, key := range secretFields {
		if text, ok := v[key].(string); ok && text != "" && text != config.Kept {
			one.values[key] = text
		}
	}
	if len(one.values) == 0 {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, old := range t.held {
		if time.Now().After(old.until) || len(t.held) >= mostTested {
			delete(t.held, id)
		}
	}
	if t.held == nil {
		t.held = map[string]testedSecrets{}
	}
	id := rand.Text()
	t.held[id] = one
	return id
}

// fill puts secrets that were typed before into v where the form was left empty, if they were typed for the same.
func (t *tested) fill(id, who string, v settings.Values, wanted ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.held[id]
	if !ok || one.who != who || time.Now().After(one.until) || one.target != targetOf(v) {
		return
	}
	for _, key := range wanted {
		if value := one.values[key]; value != "" {
			v[key] = value
		}
	}
}
