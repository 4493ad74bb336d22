package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The log is a directory of segments. A segment begins with segmentMagic and the greatest seq given out
// before it, so that seq never repeats although old segments are deleted and clocks step back.
const (
	segmentMagic  = "tocsin1\n"
	segmentHeader = len(segmentMagic) + 8
	segmentSuffix = ".log"
	segmentSize   = 32 << 20
	// segmentLife is how long events stay in the log at least, whatever the engine says.
	segmentLife = 60 * time.Second
)

// errBroken is what every append answers after a write or sync whose effect is unknown. Only a restart,
// which reads what is really there, ends it.
var errBroken = errors.New("the log of the log store is broken by an earlier write error: restart to read what is there")

// segment is one file of the log.
type segment struct {
	path   string
	number uint64
	sealed time.Time // zero while it is written
	// unhanded counts records the engine and the id index do not have yet.
	unhanded int
}

// writeLog appends records. mu guards all but the syncing, which is done by one caller for all that wait.
type writeLog struct {
	dir  string
	size int64 // when to begin a new segment

	mu      sync.Mutex
	file    *os.File
	at      int64 // length of the current segment
	current *segment
	old     []*segment
	written uint64 // records appended, in all segments
	broken  error

	syncing sync.Mutex
	synced  uint64 // guarded by syncing
}

// position is where a record was put: await waits for it, handed says the engine has it.
type position struct {
	segment *segment
	record  uint64
	long    bool // the segment has its length
}

// openLog lists the segments of a log, cuts a torn end, and begins a new segment. visit gets the events
// of each old segment in order.
func openLog(dir string, log *slog.Logger, visit func(events []event) error) (l *writeLog, lastSeq int64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, fmt.Errorf("make the log directory: %w", err)
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return nil, 0, fmt.Errorf("make the log directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, fmt.Errorf("list the log: %w", err)
	}
	l = &writeLog{dir: dir, size: segmentSize}
	for _, entry := range entries {
		var number uint64
		if _, err := fmt.Sscanf(entry.Name(), "%d"+segmentSuffix, &number); err != nil || !strings.HasSuffix(entry.Name(), segmentSuffix) {
			continue
		}
		l.old = append(l.old, &segment{path: filepath.Join(dir, entry.Name()), number: number, sealed: time.Now()})
	}
	slices.SortFunc(l.old, func(a, b *segment) int { return int(int64(a.number) - int64(b.number)) })
	for i, s := range l.old {
		seq, err := readSegment(s.path, i == len(l.old)-1, log, visit)
		if err != nil {
			return nil, 0, err
		}
		lastSeq = max(lastSeq, seq)
	}
	if err := l.begin(lastSeq); err != nil {
		return nil, 0, err
	}
	return l, lastSeq, nil
}

// readSegment visits the events of a segment and answers the greatest seq it knows of. What is torn at the
// end of the last segment was never acknowledged and is cut off; elsewhere it is damage, an error.
func readSegment(path string, last bool, log *slog.Logger, visit func([]event) error) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the log: %w", err)
	}
	if len(b) < segmentHeader || !bytes.HasPrefix(b, []byte(segmentMagic)) {
		if last {
			// The crash came while it was made: nothing in it was acknowledged.
			log.Warn("log segment without a header removed", "file", filepath.Base(path), "bytes", len(b))
			return 0, os.Remove(path)
		}
		return 0, fmt.Errorf("read the log: %s does not begin as a log segment: restore the file, or move it away and lose the events only it holds", path)
	}
	lastSeq := int64(binary.LittleEndian.Uint64(b[len(segmentMagic):]))
	var all []event
	at := segmentHeader
	for at < len(b) {
		events, size, err := decodeRecord(b[at:])
		if errors.Is(err, errTorn) && last {
			log.Warn("torn end of the log cut off", "file", filepath.Base(path), "bytes", len(b)-at)
			if err := truncate(path, int64(at)); err != nil {
				return 0, err
			}
			break
		}
		if err != nil {
			return 0, fmt.Errorf("read the log: %s at byte %d: %w: restore the file, or move it away and lose the events only it holds", path, at, err)
		}
		at += size
		all = append(all, events...)
	}
	if len(all) == 0 {
		return lastSeq, nil
	}
	return max(lastSeq, all[len(all)-1].seq), visit(all)
}

func truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cut the torn end of the log: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("cut the torn end of the log: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cut the torn end of the log: %w", err)
	}
	return nil
}

// begin starts a new segment. The caller holds mu, or is the only one.
func (l *writeLog) begin(lastSeq int64) error {
	number := uint64(1)
	if l.current != nil {
		number = l.current.number + 1
	} else if len(l.old) > 0 {
		number = l.old[len(l.old)-1].number + 1
	}
	s := &segment{path: filepath.Join(l.dir, fmt.Sprintf("%016d%s", number, segmentSuffix)), number: number}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("begin a log segment: %w", err)
	}
	header := binary.LittleEndian.AppendUint64([]byte(segmentMagic), uint64(lastSeq))
	if _, err = f.Write(header); err == nil {
		if err = f.Sync(); err == nil {
			err = syncDir(l.dir)
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("begin a log segment: %w", err), f.Close(), os.Remove(s.path))
	}
	if l.current != nil {
		// Everything in it is synced: whoever rotates holds syncing, and has synced it.
		l.current.sealed = time.Now()
		l.old = append(l.old, l.current)
		if err := l.file.Close(); err != nil {
			return errors.Join(fmt.Errorf("close a log segment: %w", err), f.Close())
		}
	}
	l.file, l.at, l.current = f, int64(segmentHeader), s
	return nil
}

// append writes one record without waiting for the disk. An error means the record is not in the log.
func (l *writeLog) append(record []byte) (position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return position{}, l.broken
	}
	if n, err := l.file.WriteAt(record, l.at); err != nil {
		if n > 0 {
			if cut := l.file.Truncate(l.at); cut != nil {
				l.broken = errBroken
			}
		}
		return position{}, fmt.Errorf("append to the log: %w", err)
	}
	l.at += int64(len(record))
	l.written++
	l.current.unhanded++
	return position{l.current, l.written, l.at >= l.size}, nil
}

// last is the position of the newest record, for one who has seen what was appended by others.
func (l *writeLog) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// await returns when the record is on the disk. Callers that wait together share one sync.
func (l *writeLog) await(record uint64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.synced >= record {
		return nil
	}
	l.mu.Lock()
	file, upTo, broken := l.file, l.written, l.broken
	l.mu.Unlock()
	if broken != nil {
		return broken
	}
	if err := file.Sync(); err != nil {
		l.mu.Lock()
		l.broken = errBroken
		l.mu.Unlock()
		return fmt.Errorf("sync the log: %w", err)
	}
	l.synced = upTo
	return nil
}

// handed says that the engine and the id index have the record.
func (l *writeLog) handed(p position) {
	l.mu.Lock()
	p.segment.unhanded--
	l.mu.Unlock()
}

// rotate begins a new segment when the current one is long, or old and not empty.
func (l *writeLog) rotate(lastSeq func() int64, old bool) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil || l.at < l.size && (!old || l.at == int64(segmentHeader)) {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		l.broken = errBroken
		return fmt.Errorf("sync the log: %w", err)
	}
	l.synced = l.written
	return l.begin(lastSeq())
}

// removable lists segments that were sealed before the given time and handed over entirely.
func (l *writeLog) removable(before time.Time) []*segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*segment
	for _, s := range l.old {
		if s.unhanded > 0 || s.sealed.After(before) {
			break
		}
		out = append(out, s)
	}
	return out
}

// remove deletes segments, the oldest first.
func (l *writeLog) remove(segments []*segment) error {
	for _, s := range segments {
		if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a log segment: %w", err)
		}
		l.mu.Lock()
		l.old = slices.DeleteFunc(l.old, func(o *segment) bool { return o == s })
		l.mu.Unlock()
	}
	return nil
}

func (l *writeLog) close() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = errClosed
	}
	return errors.Join(l.file.Sync(), l.file.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
