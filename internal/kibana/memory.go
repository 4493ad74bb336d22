package kibana

import (
	"crypto/sha256"
	"time"

	"tocsin/internal/elastic"
)

// docKey names a document in one index. A digest, because there can be a great many of them.
type docKey [16]byte

func keyOf(h *elastic.Hit) docKey {
	sum := sha256.Sum256([]byte(h.Index + "\x00" + h.ID))
	return docKey(sum[:16])
}

// seen is the version of a document that was handed over. Every change of a document gives it a new
// sequence number, whatever was changed.
type seen struct {
	seq  int64
	time int64 // @timestamp in milliseconds
}

// memory holds what was handed over out of the window that polls read again. It is lost with the
// process; then the window is handed over once more, which is harmless.
type memory map[docKey]seen

func (m memory) has(h *elastic.Hit, k docKey) bool {
	s, ok := m[k]
	return ok && h.SeqNo != nil && s.seq == *h.SeqNo
}

func (m memory) add(h *elastic.Hit, k docKey) {
	if h.SeqNo == nil {
		return
	}
	s := seen{seq: *h.SeqNo}
	if t, ok := sortTime(h); ok {
		s.time = t.UnixMilli()
	}
	m[k] = s
}

// memoryMost is how large the memory may grow before it is cleared of what lies behind the window.
const memoryMost = 50_000

// trim forgets documents from before a time once there are many.
func (m memory) trim(before time.Time) {
	if len(m) < memoryMost {
		return
	}
	for k, s := range m {
		if s.time < before.UnixMilli() {
			delete(m, k)
		}
	}
}
