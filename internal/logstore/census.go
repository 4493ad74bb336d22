package logstore

import (
	"bufio"
	"bytes"
	"cmp"
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

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

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

	anyKind   = 1<<kindBits - 1
	anyBits   = 1<<7 - 1 // more than there are
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

// class is the kinds that values of one sort have, zero where there are no values.
func (s shape) class() shape {
	for _, class := range []shape{anyText, anyNumber, isBool} {
		if s&class != 0 {
			return class
		}
	}
	return s & isObject
}

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

// known is what is known of a name: the class is that of the first value there was. Rows with others are
// marked.
type known struct{ shape, class shape }

// add is k with what is noted later.
func (k known) add(s shape) known {
	if k.class == 0 {
		k.class = s.class()
	}
	k.shape = k.shape.with(s)
	return k
}

// dayCensus is the census of a day.
type dayCensus struct {
	names   map[string]known
	unknown bool // there are rows of which nothing is known
	file    *os.File
}

// claim is what a search relies on while it runs.
type claim struct {
	first, last int64
	allowed     map[string]shape // by name
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
	d := &dayCensus{names: map[string]known{}}
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
		d.names[name] = d.names[name].add(shape(n))
	}
	return d, nil
}

// note adds events to the census, and marks those with values of another class than a field has. It
// returns before their rows may go into the engine.
func (c *census) note(events []event) error {
	c.mu.RLock()
	news := c.news(events)
	if len(news) == 0 {
		c.mark(events)
	}
	c.mu.RUnlock()
	if len(news) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.mark(events)
	for day, names := range c.news(events) {
		if err := c.grow(day, names); err != nil {
			return fmt.Errorf("write the census of fields of %s: %w", dayName(day), err)
		}
	}
	return nil
}

// news is what the census lacks, by day.
func (c *census) news(events []event) map[int64]map[string]known {
	var news map[int64]map[string]known
	add := func(day int64, name string, s shape) {
		if news == nil {
			news = map[int64]map[string]known{}
		}
		if news[day] == nil {
			news[day] = map[string]known{}
		}
		news[day][name] = news[day][name].add(s)
	}
	last := int64(-1)
	var names map[string]known
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
			if before, ok := names[n.name]; !ok || !before.shape.covers(n.shape) {
				add(day, n.name, n.shape)
			}
		}
	}
	return news
}

// oddMost is how long a list of odd names may be; a longer one stands for all names.
const oddMost = 32 << 10

// mark gives events the column of the names in them whose values are of another class than that of the
// day: its text has a comma before and after each. c.mu is held.
func (c *census) mark(events []event) {
	for i := range events {
		e := &events[i]
		d := c.days[dayOf(e.time)]
		odd := ","
		for k, n := range e.shapes {
			known := d.names[n.name]
			if known.shape.only(known.class) || known.class == isObject || n.shape.only(known.class) || k > 0 && strings.HasSuffix(odd, ","+n.name+",") {
				continue
			}
			odd += n.name + ","
			if len(odd) > oddMost {
				odd = oddAll
				break
			}
		}
		if odd != "," {
			e.columns = append(e.columns, logstorage.Field{Name: columnOdd, Value: odd})
		}
	}
}

// grow adds names to a day, on the disk first. c.mu is held.
func (c *census) grow(day int64, names map[string]known) error {
	d := c.days[day]
	if d == nil {
		d = &dayCensus{names: map[string]known{}}
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
	line := func(name string, s shape) {
		b = strconv.AppendUint(b, uint64(s), 16)
		b = append(b, ' ')
		b = append(strconv.AppendQuote(b, name), '\n')
	}
	for name, k := range names {
		if d.names[name].class == 0 && k.class != 0 {
			line(name, k.shape&k.class) // the first line with values makes the class
		}
		line(name, k.shape)
	}
	if _, err := d.file.Write(b); err != nil {
		return err
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	for name, k := range names {
		now := d.names[name]
		now.class = cmp.Or(now.class, k.class)
		now.shape = now.shape.with(k.shape)
		name = strings.Clone(name) // names of events are parts of documents
		d.names[name] = now
		for k := range c.claims {
			if day >= k.first && day <= k.last && !(k.allows(name, now.shape) && k.allowsName(name)) {
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
		return s.only(allowed.kinds()) && s.bits() <= allowed.bits()
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

// find is what is known of a name; class is zero where it is not the same in all days that have the name,
// ok is false where something is not known.
func (v view) find(name string) (k known, ok bool) {
	v.census.mu.RLock()
	defer v.census.mu.RUnlock()
	return v.locked(name)
}

func (v view) locked(name string) (k known, ok bool) {
	ok = true
	mixed := false
	for day, d := range v.census.days {
		if day < v.first || day > v.last {
			continue
		}
		ok = ok && !d.unknown
		if here, there := d.names[name]; there {
			mixed = mixed || k.class != 0 && here.class != 0 && k.class != here.class
			k.class = cmp.Or(here.class, k.class)
			k.shape = k.shape.with(here.shape)
		}
	}
	if mixed {
		k.class = 0
	}
	return k, ok
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
	v.census.mu.Lock()
	defer v.census.mu.Unlock()
	for name := range k.allowed {
		if now, ok := v.locked(name); !ok || !k.allows(name, now.shape) {
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
				out[n] = out[n].with(s.shape)
			}
		}
	}
	return out
}
