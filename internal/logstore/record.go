package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// A record is one bulk request in the log: length, checksum, and the compressed events. The checksum is
// of the compressed bytes.
const recordHeader = 8

// maxRecord bounds what a length read from a file may ask for.
const maxRecord = 1 << 30

var (
	errTorn    = errors.New("the record is torn")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// encodeRecord makes one record of events, whose seq follow each other from the first one's.
func encodeRecord(events []event) []byte {
	size := 32
	for i := range events {
		size += len(events[i].source) + len(events[i].id) + len(events[i].index) + 24
	}
	b := make([]byte, 0, size)
	b = binary.AppendUvarint(b, uint64(len(events)))
	b = binary.AppendVarint(b, events[0].seq)
	previous := ""
	var at int64
	for i := range events {
		e := &events[i]
		var flags byte
		if e.dated {
			flags |= 1
		}
		if e.index != previous {
			flags |= 2
		}
		b = append(b, flags)
		if e.index != previous {
			b = appendText(b, e.index)
			previous = e.index
		}
		b = appendText(b, e.id)
		b = binary.AppendVarint(b, e.time-at)
		at = e.time
		b = appendText(b, e.source)
	}
	out := make([]byte, recordHeader+s2.MaxEncodedLen(len(b)))
	body := s2.Encode(out[recordHeader:], b)
	out = out[:recordHeader+len(body)]
	binary.LittleEndian.PutUint32(out, uint32(len(body)))
	binary.LittleEndian.PutUint32(out[4:], crc32.Checksum(body, castagnoli))
	return out
}

func appendText[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// decodeRecord reads the record at the start of b and says how many bytes it has. errTorn: b ends
// within it or its checksum is wrong.
func decodeRecord(b []byte) (events []event, size int, err error) {
	if len(b) < recordHeader {
		return nil, 0, errTorn
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n == 0 || n > maxRecord || len(b) < recordHeader+n {
		return nil, 0, errTorn
	}
	body := b[recordHeader : recordHeader+n]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, 0, errTorn
	}
	raw, err := s2.Decode(nil, body)
	if err != nil {
		return nil, 0, fmt.Errorf("decompress a record: %w", err)
	}
	r := reader{b: raw}
	count := r.uvarint()
	if count > uint64(len(raw)) {
		return nil, 0, errors.New("decode a record: it counts more events than it has bytes")
	}
	seq := r.varint()
	events = make([]event, 0, count)
	index := ""
	var at int64
	for i := range count {
		flags := r.byte()
		if flags&2 != 0 {
			index = string(r.text())
		}
		id := string(r.text())
		at += r.varint()
		events = append(events, event{index: index, id: id, seq: seq + int64(i), time: at, dated: flags&1 != 0, source: r.text()})
	}
	if r.bad {
		return nil, 0, errors.New("decode a record: it ends too early")
	}
	return events, recordHeader + n, nil
}

// reader takes values off b; bad says that b was too short once.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) text() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}
