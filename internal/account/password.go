package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The cost of a new hash, as OWASP's cheat sheet on password storage has it: 19 MiB, two passes, one lane.
const (
	argonMemory = 19 << 10 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonKey    = 32
	argonSalt   = 16
)

// mostHashing bounds how many passwords are hashed at once, as each takes memory.
const mostHashing = 2

// The length of a password, in characters and bytes.
const (
	leastPassword = 10
	mostPassword  = 1024
)

// CheckPassword says what is wrong with a new password.
func CheckPassword(name, password string) error {
	switch {
	case !utf8.ValidString(password):
		return wrong("the password is not UTF-8")
	case utf8.RuneCountInString(password) < leastPassword:
		return wrong("the password must have at least %d characters", leastPassword)
	case len(password) > mostPassword:
		return wrong("the password must have at most %d bytes", mostPassword)
	case strings.EqualFold(password, name):
		return wrong("the password must not be the name")
	}
	return nil
}

// hash makes what is stored of a password: argon2id, in the form of the PHC string format.
func hash(password string) string {
	salt := make([]byte, argonSalt)
	rand.Read(salt) //nolint:errcheck // it never fails
	key := argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonKey)
	enc := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes, enc(salt), enc(key))
}

// matches reports whether a password is the one of a stored hash. A hash that is none matches nothing, in the
// same time.
func matches(stored, password string) bool {
	var (
		version         int
		memory, passes  uint32
		lanes           uint8
		salt, key       []byte
		parts           = strings.Split(stored, "$")
		decode          = base64.RawStdEncoding.DecodeString
		saltErr, keyErr error
	)
	if len(parts) != 6 || parts[1] != "argon2id" {
		matches(nobody(), password)
		return false
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false
	}
	salt, saltErr = decode(parts[4])
	key, keyErr = decode(parts[5])
	if saltErr != nil || keyErr != nil || len(key) == 0 || lanes == 0 || passes == 0 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(key))) //nolint:gosec // of our own making
	return subtle.ConstantTimeCompare(got, key) == 1
}

// nobody is a hash that no password is known for: it stands in where there is no user, so that the answer
// takes as long.
var nobody = sync.OnceValue(func() string { return hash(random(32)) })

// verify is matches, not too often at once.
func (a *Accounts) verify(ctx context.Context, stored, password string) (bool, error) {
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return matches(stored, password), nil
}
