package exec

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"

	"tocsin/internal/row"
)

// hashFunctions give digests in hexadecimal, as threat lists have them.
var hashFunctions = map[string]plainFunction{
	"md5":    digest(func(b []byte) []byte { s := md5.Sum(b); return s[:] }),
	"sha1":   digest(func(b []byte) []byte { s := sha1.Sum(b); return s[:] }),
	"sha256": digest(func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }),
}

func digest(sum func([]byte) []byte) plainFunction {
	return func(a []row.Value) row.Value {
		return eachText(a[0], func(s string) row.Value { return row.NewString(hex.EncodeToString(sum([]byte(s)))) })
	}
}
