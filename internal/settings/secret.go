package settings

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// KeyName is the key file's name in data_dir. A backup of the database without it holds no readable secret.
const KeyName = "settings.key"

// errSealed is a secret that cannot be opened: it was sealed for another target, or with another key.
var errSealed = errors.New("the secret cannot be opened")

// keyFile is the key that secrets are sealed with, made when it is first needed.
type keyFile struct {
	dir string

	mu   sync.Mutex
	aead cipher.AEAD
}

// cipher reads the key. Where there is none it makes one, or gives errSealed where it may not.
func (k *keyFile) cipher(mayMake bool) (cipher.AEAD, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.aead != nil {
		return k.aead, nil
	}
	path := filepath.Join(k.dir, KeyName)
	written, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !mayMake:
		return nil, errSealed
	case errors.Is(err, fs.ErrNotExist):
		if written, err = makeKey(path); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("read the key of secrets: %w", err)
	default:
		st, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("read the key of secrets: %w", err)
		}
		if st.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("the key of secrets %s can be read by others: chmod 600 it", path)
		}
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(written)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s is not the key of secrets, 64 hex digits: restore it from a backup, or delete it and enter the secrets again", path)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("take the key of secrets: %w", err)
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("take the key of secrets: %w", err)
	}
	return k.aead, nil
}

// makeKey writes a new key where there is none. It is on the disk before it is used.
func makeKey(path string) ([]byte, error) {
	var key [32]byte
	rand.Read(key[:]) //nolint:errcheck // it never fails
	written := []byte(hex.EncodeToString(key[:]) + "\n")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the key of secrets: %w", err)
	}
	_, err = f.Write(written)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("make the key of secrets: %w", err), os.Remove(path))
	}
	return written, nil
}

// seal encrypts a secret for what owner is and no other.
func (k *keyFile) seal(secret, owner string) (string, error) {
	aead, err := k.cipher(true)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) //nolint:errcheck // it never fails
	return base64.StdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(secret), []byte(owner))), nil
}

// open decrypts a secret. For another owner, or with another key, it is errSealed.
func (k *keyFile) open(sealed, owner string) (string, error) {
	aead, err := k.cipher(false)
	if err != nil {
		return "", err
	}
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(b) < aead.NonceSize() {
		return "", errSealed
	}
	secret, err := aead.Open(nil, b[:aead.NonceSize()], b[aead.NonceSize():], []byte(owner))
	if err != nil {
		return "", errSealed
	}
	return string(secret), nil
}
