package store

import (
	"errors"
	"syscall"
)

// isNoSpace reports whether the operating system said that the disk or the quota is used up.
func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
