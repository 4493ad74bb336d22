package logstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/bits"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/internal/row"
)

// shape is what values of a field have been: kinds in its lower half, above them the most bits that a
// whole number needed.
type shape uint32

const (
	isText       shape = 1 << iota // a text that is none of the following
	isTimeText                     // an ISO 8601 time in a text
	isAddress                      // an IP address, spelt the shortest way
	isOddAddress                   // an IP address spelt otherwise
	isEmpty                        // ""
	isInt                          // a whole number of 64 bits, spelt the shortest way
	isNumber                       // another number
	isBool
	isArray  // an array, or something in one
	isObject // an object with members
	isOdd    // what the engine does not have as the document does

	kindBits = 16

	anyText   = isText | isTimeText | isAddress | isOddAddress
	anyNumber = isInt | isNumber
)

func (s shape) kinds() shape { return s & (1<<kindBits - 1) }

// bits is how many bits the greatest whole number needed.
func (s shape) bits() int { return int(s >> kindBits) }

func (s shape) with(t shape) shape {
	return (s | t).kinds() | max(s>>kindBits, t>>kindBits)<<kindBits
}

// covers reports whether t brings nothing new.
func (s shape) covers(t shape) bool { return s.with(t) == s }

// only reports whether all values were of some kinds; no value is.
func (s shape) only(kinds shape) bool { return s.kinds()&^kinds == 0 }

// single reports whether the column of a field tells its values as the document has them.
func (s shape) single() bool { return s.only(anyText) || s.only(anyNumber) || s.only(isBool) }

// textShape is the shape of a text.
func textShape(s string) shape {
	if s == "" {
		return isEmpty
	}
	c := s[0]
	if (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' {
		if len(s) >= 10 && s[4] == '-' {
			if _, ok := row.ParseTime(s); ok {
				return isTimeText
			}
		}
		if len(s) <= 45 && strings.ContainsAny(s, ".:") {
			if a, err := netip.ParseAddr(s); err == nil {
				if !a.Is4In6() && a.Zone() == "" && a.String() == s {
					return isAddress
				}
				return isOddAddress
			}
		}
	}
	return isText
}

// numberShape is the shape of a number literal.
func numberShape(s string) shape {
	digits := strings.TrimPrefix(s, "-")
	if len(digits) > 1 && digits[0] == '0' || s == "-0" {
		return isNumber
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return isNumber
	}
	if n < 0 {
		n = -(n + 1) // needs as many bits or one less: close enough below a power of two
		return isInt | shape(bits.Len64(uint64(n))+1)<<kindBits
	}
	return isInt | shape(bits.Len64(uint64(n)))<<kindBits
}

// shaped is a name of a document with what is there.
type shaped struct {
	name  string
	shape shape
}

// Names in the census that are no fields.
const (
	// tooWide stands for documents that have no columns.
	tooWide = "\x00wide"
	// undatedName stands for documents without a time.
	undatedName = "\x00undated"
	// indexPrefix begins the names of indices.
	indexPrefix = "\x00index "
)

// census remembers, for each day of the engine and each field, which kinds of values there were: what it
// says is true of every row that a search can see. It is on the disk before the rows are in the engine.
type census struct {
	dir string

	mu     sync.RWMutex
	days   map[int64]*dayCensus
	claims map[*claim]bool
}

// dayCensus is the census of a day.
type dayCensus struct {
	names   map[string]shape
	unknown bool // there are rows of which nothing is known
	file    *os.File
}

// claim is what a search relies on while it runs.
type claim struct {
	first, last int64
	allowed     map[string]shape // by name; bits as the most allowed, 0 is any
	notBelow    []string         // fields that have none below them
	broken      atomic.Bool
}

const dayNanos = int64(24 * time.Hour)

// dayOf is the number of the engine's day of a time. Times before 1970 are not stored.
func dayOf(nanos int64) int64 { return nanos / dayNanos }

func dayName(day int64) string { return time.Unix(0, day*dayNanos).UTC().Format(dayLayout) }

// openCensus reads what is known of days, by their names.
func openCensus(dir string, days []string) (*census, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the census of fields: %w", err)
	}
	c := &census{dir: dir, days: map[int64]*dayCensus{}, claims: map[*claim]bool{}}
	for _, name := range days {
		at, err := time.Parse(dayLayout, name)
		if err != nil {
			continue
		}
		d, err := readDay(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("open the census of fields: %w", err)
		}
		c.days[dayOf(at.UnixNano())] = d
	}
	kept, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open the census of fields: %w", err)
	}
	for _, f := range kept {
		if !slices.Contains(days, f.Name()) {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return nil, fmt.Errorf("remove the census of a day that is gone: %w", err)
			}
		}
	}
	return c, nil
}

// readDay reads the file of a day: one line for each name, its shape and the name quoted. A later line of
// a name adds to it. A last line that is cut off was never relied on: it goes. What cannot be read makes
// the day unknown.
func readDay(path string) (*dayCensus, error) {
	d := &dayCensus{names: map[string]shape{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		d.unknown = true
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole < len(text) {
		if err := os.Truncate(path, int64(whole)); err != nil {
			return nil, err
		}
	}
	if whole == 0 {
		d.unknown = true
	}
	lines := bufio.NewScanner(bytes.NewReader(text[:whole]))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		number, quoted, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseUint(number, 16, 32)
		name, err2 := strconv.Unquote(quoted)
		if err != nil || err2 != nil {
			d.unknown = true
			break
		}
		d.names[name] = d.names[name].with(shape(n))
	}
	return d, nil
}

// note adds events to the census. It returns before their rows may go into the engine.
func (c *census) note(events []event) error {
	c.mu.RLock()
	news := c.news(events)
	c.mu.RUnlock()
	if len(news) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for day, names := range c.news(events) {
		if err := c.grow(day, names); err != nil {
			return fmt.Errorf("write the census of fields of %s: %w", dayName(day), err)
		}
	}
	return nil
}

// news is what the census lacks, by day.
func (c *census) news(events []event) map[int64]map[string]shape {
	var news map[int64]map[string]shape
	add := func(day int64, name string, s shape) {
		if news == nil {
			news = map[int64]map[string]shape{}
		}
		if news[day] == nil {
			news[day] = map[string]shape{}
		}
		news[day][name] = news[day][name].with(s)
	}
	last := int64(-1)
	var names map[string]shape
	for i := range events {
		e := &events[i]
		day := dayOf(e.time)
		if day != last || names == nil {
			last, names = day, nil
			if d := c.days[day]; d != nil {
				names = d.names
			}
		}
		for _, n := range e.shapes {
			if before, ok := names[n.name]; !ok || !before.covers(n.shape) {
				add(day, n.name, n.shape)
			}
		}
	}
	return news
}

// grow adds names to a day, on the disk first. c.mu is held.
func (c *census) grow(day int64, names map[string]shape) error {
	d := c.days[day]
	if d == nil {
		d = &dayCensus{names: map[string]shape{}}
		c.days[day] = d
	}
	if d.file == nil {
		f, err := os.OpenFile(filepath.Join(c.dir, dayName(day)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		d.file = f
	}
	var b []byte
	for name, s := range names {
		b = strconv.AppendUint(b, uint64(s), 16)
		b = append(b, ' ')
		b = append(strconv.AppendQuote(b, name), '\n')
	}
	if _, err := d.file.Write(b); err != nil {
		return err
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	for name, s := range names {
		// Names of events are parts of documents.
		s, name := d.names[name].with(s), strings.Clone(name)
		d.names[name] = s
		for k := range c.claims {
			if day >= k.first && day <= k.last && !(k.allows(name, s) && k.allowsName(name)) {
				k.broken.Store(true)
			}
		}
	}
	return nil
}

// keep forgets all days but those named.
func (c *census) keep(days []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := slices.Min(append(slices.Clone(days), "99999999"))
	var errs []error
	for day, d := range c.days {
		if name := dayName(day); name < oldest {
			if d.file != nil {
				errs = append(errs, d.file.Close())
			}
			delete(c.days, day)
			if err := os.Remove(filepath.Join(c.dir, name)); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (c *census) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, d := range c.days {
		if d.file != nil {
			errs = append(errs, d.file.Close())
			d.file = nil
		}
	}
	return errors.Join(errs...)
}

// allows reports whether a claim holds where a name has a shape.
func (k *claim) allows(name string, s shape) bool {
	if allowed, ok := k.allowed[name]; ok {
		return s.only(allowed.kinds()) && (allowed.bits() == 0 || s.bits() <= allowed.bits())
	}
	return true
}

// allowsName reports whether a claim holds where there is a name.
func (k *claim) allowsName(name string) bool {
	return !slices.ContainsFunc(k.notBelow, func(f string) bool { return isBelow(name, f) })
}

func isBelow(name, field string) bool {
	return len(name) > len(field) && name[len(field)] == '.' && name[:len(field)] == field
}

// view is the census of the days from first to last.
type view struct {
	census      *census
	first, last int64
}

// find is what is known of a name; ok is false where something is not.
func (v view) find(name string) (s shape, ok bool) {
	v.census.mu.RLock()
	defer v.census.mu.RUnlock()
	return v.locked(name)
}

func (v view) locked(name string) (s shape, ok bool) {
	ok = true
	for day, d := range v.census.days {
		if day < v.first || day > v.last {
			continue
		}
		s = s.with(d.names[name])
		ok = ok && !d.unknown && d.names[tooWide] == 0
	}
	return s, ok
}

// below reports whether there are names below a field.
func (v view) below(field string) bool {
	v.census.mu.RLock()
	defer v.census.mu.RUnlock()
	return v.lockedBelow(field)
}

func (v view) lockedBelow(field string) bool {
	for day, d := range v.census.days {
		if day < v.first || day > v.last {
			continue
		}
		for name := range d.names {
			if isBelow(name, field) {
				return true
			}
		}
	}
	return false
}

// claim makes a claim if it holds now. Whoever made it calls release. One of nothing always holds.
func (v view) claim(allowed map[string]shape, notBelow []string) (k *claim, ok bool) {
	k = &claim{first: v.first, last: v.last, allowed: maps.Clone(allowed), notBelow: notBelow}
	if len(allowed) > 0 {
		k.allowed[tooWide] = 0
	}
	v.census.mu.Lock()
	defer v.census.mu.Unlock()
	for name := range k.allowed {
		if s, known := v.locked(name); !known || !k.allows(name, s) {
			return nil, false
		}
	}
	if slices.ContainsFunc(notBelow, v.lockedBelow) {
		return nil, false
	}
	v.census.claims[k] = true
	return k, true
}

func (c *census) release(k *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.claims, k)
}

// names are all names of the days with their shapes.
func (v view) names() map[string]shape {
	v.census.mu.RLock()
	defer v.census.mu.RUnlock()
	out := map[string]shape{}
	for day, d := range v.census.days {
		if day >= v.first && day <= v.last {
			for n, s := range d.names {
				out[n] = out[n].with(s)
			}
		}
	}
	return out
}
