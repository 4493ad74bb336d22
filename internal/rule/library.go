package rule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/nearest"
	"tocsin/internal/query"
	"tocsin/internal/store"
)

// Options say where rules are.
type Options struct {
	DB *store.DB
	// Dir is rules_dir; empty for none.
	Dir string
	// Sources are the names of the sources there are; nil leaves the sources of rules unchecked.
	Sources []string
	// Lookups gives the tables searches may name now; nil for none.
	Lookups func() map[string]*query.Table
	Log     *slog.Logger
	// Report tells that a part works (nil) or not, and what to do about it.
	Report func(part string, err error, hint string)
	// Changed is called after rules have changed, from any goroutine; nil is nothing.
	Changed func()
	// Poll is how often Dir is looked at; 2s when 0.
	Poll time.Duration
}

// Library holds all rules: those of files, read-only, and those of the database. It is safe for concurrent
// use.
type Library struct {
	db      *store.DB
	dir     string
	options Options
	log     *slog.Logger

	// changing is held by whoever changes rules, from what they decide by to the new state.
	changing sync.Mutex

	mu       sync.Mutex
	files    map[string]*file  // by path
	database map[string]*Entry // by id
	all      []Entry           // of both, by name
	unread   error             // why dir could not be read
}

// New reads the rules there are. Rules that are wrong are no error: All tells of them.
func New(ctx context.Context, o Options) (*Library, error) {
	if o.DB == nil || o.Log == nil || o.Report == nil {
		return nil, errors.New("rule: DB, Log and Report are required")
	}
	l := &Library{db: o.DB, dir: o.Dir, options: o, log: o.Log, files: map[string]*file{}, database: map[string]*Entry{}}
	if l.options.Lookups == nil {
		l.options.Lookups = func() map[string]*query.Table { return nil }
	}
	if l.options.Poll == 0 {
		l.options.Poll = 2 * time.Second
	}
	if err := l.loadDatabase(ctx); err != nil {
		return nil, fmt.Errorf("read the rules of the database: %w", err)
	}
	if err := l.loadKept(ctx); err != nil {
		return nil, fmt.Errorf("read the last good rules of files: %w", err)
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	if err := l.readDir(ctx, true); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Library) parseOptions(file, id string) ParseOptions {
	return ParseOptions{File: file, ID: id, Lookups: l.options.Lookups(), Sources: l.options.Sources}
}

// All are the rules there are, in the order of their names: those that run, those that do not, and those
// that are wrong. The slice is the caller's own.
func (l *Library) All() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// NotFoundError says that no rule has a name.
type NotFoundError struct {
	Name string
	// Near is the id or name most like it; may be empty.
	Near string
}

func (e *NotFoundError) Error() string {
	said := fmt.Sprintf("no rule is called %q", e.Name)
	if e.Near != "" {
		return said + ": did you mean " + e.Near + "?"
	}
	return said + ": `tocsin rules list` shows what there is"
}

// Nearer is the error of the two that knows what is most like the name; other may be nil.
func (e *NotFoundError) Nearer(other *NotFoundError) *NotFoundError {
	name := []byte(strings.ToLower(e.Name))
	far := func(near string) int { return nearest.Distance(name, []byte(strings.ToLower(near))) }
	if other == nil || other.Near == "" || e.Near != "" && far(e.Near) <= far(other.Near) {
		return e
	}
	return other
}

// Find is the rule of an id or a name; a *NotFoundError without one.
func (l *Library) Find(name string) (Entry, error) {
	return find(l.All(), name)
}

func find(entries []Entry, name string) (Entry, error) {
	var names []string
	for _, matches := range []func(*Entry) bool{
		func(e *Entry) bool { return e.ID == name },
		func(e *Entry) bool { return e.Name() == name },
		func(e *Entry) bool { return strings.EqualFold(e.Name(), name) },
	} {
		for i := range entries {
			if matches(&entries[i]) {
				return entries[i], nil
			}
			names = append(names, entries[i].ID, entries[i].Name())
		}
	}
	return Entry{}, &NotFoundError{Name: name, Near: nearest.Key(name, names)}
}

// gather makes the list of all rules anew. The caller holds l.changing.
func (l *Library) gather() {
	l.mu.Lock()
	ids, names := map[string]string{}, map[string]string{}
	var all []Entry
	add := func(e Entry) {
		where := e.File
		if e.Origin == FromDatabase {
			where = "a rule of the database"
		}
		if e.Rule != nil {
			what, first := "id "+e.ID, ids[e.ID]
			if first == "" {
				what, first = "name "+quoted(e.Rule.Name), names[e.Rule.Name]
			}
			if first != "" {
				e.Rule = nil
				e.Problems = append(slices.Clone(e.Problems), Problem{
					Place: Place{File: e.File},
					Text:  fmt.Sprintf("the %s is already that of %s, and this rule does not run: change one of them, or delete one", what, first),
				})
			} else {
				ids[e.ID], names[e.Rule.Name] = where, where
			}
		}
		all = append(all, e)
	}
	for _, path := range slices.Sorted(maps.Keys(l.files)) {
		if f := l.files[path]; f.entry != nil {
			add(*f.entry)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.database)) {
		add(*l.database[id])
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Or(strings.Compare(a.Name(), b.Name()), strings.Compare(a.ID, b.ID)) })
	l.all = all
	unread := l.unread
	l.mu.Unlock()
	l.report(all, unread)
	if l.options.Changed != nil {
		l.options.Changed()
	}
}

// report tells of rules that are wrong.
func (l *Library) report(all []Entry, unread error) {
	var errs []error
	for _, e := range all {
		if len(e.Problems) == 0 {
			continue
		}
		state := "does not run"
		if e.Runs() {
			state = "runs as it last was"
		}
		errs = append(errs, fmt.Errorf("rule %s %s: %s", e.ID, state, e.Problems[0]))
	}
	if unread != nil {
		errs = append(errs, unread)
	}
	l.options.Report("rules", errors.Join(errs...), "`tocsin rules list` shows which; the others run")
}

// Relook reads the rules that name tables again, and those that are wrong, after the tables have changed.
func (l *Library) Relook(ctx context.Context) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.mu.Lock()
	for path, f := range l.files {
		if f.entry != nil && f.entry.looksUp() {
			l.files[path] = &file{entry: f.entry, kept: f.kept} // as if it had not been seen yet
		}
	}
	for id, e := range l.database {
		if !e.looksUp() {
			continue
		}
		again := *e
		again.Problems = nil
		var err error
		if again.Rule, err = Parse(e.Content, l.parseOptions("", id)); err != nil {
			again.Problems = problemsOf(err, "")
		}
		l.database[id] = &again
	}
	l.mu.Unlock()
	return l.readDir(ctx, true)
}

// Check says what is wrong with a rule, as an *Problems, or what is probably not meant, without saving it.
func (l *Library) Check(content []byte, isJSON bool, file string) (warnings []Problem, err error) {
	parse := Parse
	if isJSON {
		parse = ParseJSON
	}
	r, err := parse(content, l.parseOptions(file, ""))
	if err != nil {
		return nil, err
	}
	return r.Warnings, nil
}
