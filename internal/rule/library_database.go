package rule

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/store"
)

// Migrations are the tables of rules: what there is, every version there ever was, and the last good
// version of each file of rules_dir. Deleted rules keep their versions.
var Migrations = []store.Migration{{ID: "rule/1", SQL: `
CREATE TABLE rules (
	id      TEXT PRIMARY KEY,
	version BIGINT NOT NULL,
	deleted INTEGER NOT NULL
);
CREATE TABLE rule_versions (
	id      TEXT NOT NULL,
	version BIGINT NOT NULL,
	at      BIGINT NOT NULL,
	who     TEXT NOT NULL,
	action  TEXT NOT NULL,
	note    TEXT NOT NULL,
	changes BLOB NOT NULL,
	content BLOB NOT NULL,
	files   BLOB NOT NULL,
	PRIMARY KEY (id, version)
);
CREATE TABLE rule_files (
	path    TEXT PRIMARY KEY,
	content BLOB NOT NULL,
	read_at BIGINT NOT NULL
);
`}}

// Action is what a version did.
type Action string

// The actions.
const (
	Created  Action = "created"
	Edited   Action = "edited"
	Enabled  Action = "enabled"
	Disabled Action = "disabled"
	Shadowed Action = "shadowed"
	Deleted  Action = "deleted"
)

// Version is one version of a rule of the database.
type Version struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Action  Action    `json:"action"`
	Note    string    `json:"note,omitempty"`
	// Changes are what differs from the version before, key by key.
	Changes []Difference `json:"changes"`
	// Content is the rule's YAML as it was written.
	Content string `json:"content,omitempty"`
}

// ConflictError says that a rule is no longer as its editor saw it.
type ConflictError struct {
	ID string
	// Base is the version the editor saw, 0 for none.
	Base int64
	// Current is the version there is, 0 for none.
	Current int64
	Who     string
	At      time.Time
}

func (e *ConflictError) Error() string {
	switch {
	case e.Current == 0:
		return fmt.Sprintf("rule %s was deleted meanwhile, by %s at %s: save it as a new rule, or leave it", e.ID, e.Who, e.At.Format(time.RFC3339))
	case e.Base == 0:
		return fmt.Sprintf("rule %s exists already, made by %s at %s: choose another id, or edit that one", e.ID, e.Who, e.At.Format(time.RFC3339))
	}
	return fmt.Sprintf("rule %s was changed meanwhile, by %s at %s (it is at version %d, and you saw %d): look at what changed, and save again", e.ID, e.Who, e.At.Format(time.RFC3339), e.Current, e.Base)
}

// ReadOnlyError says that a rule is a file's.
type ReadOnlyError struct{ ID, File string }

func (e *ReadOnlyError) Error() string {
	return fmt.Sprintf("rule %s is read-only here: it is the file %s; change that, and it is read again by itself", e.ID, e.File)
}

// Any as a base takes whatever version there is, or none.
const Any = -1

// Change is a change to a rule of the database.
type Change struct {
	// ID is the rule that is edited, which may get another name; empty where the rule itself says which.
	ID string
	// Base is the version that was seen: 0 for a new rule, Any for whatever there is.
	Base int64
	Who  string
	// Note says why; may be empty.
	Note string
}

// Apply saves a rule, as YAML or, with isJSON, as JSON, with the files its tests read. Without an id of its own
// it is the rule of its name, else a new one. changed is false where nothing differs: then there is no new
// version. The error of a wrong rule is a *Problems.
func (l *Library) Apply(ctx context.Context, content []byte, isJSON bool, files map[string][]byte, c Change) (e Entry, changed bool, err error) {
	if isJSON {
		if _, err := ParseJSON(content, l.parseOptions("", "")); err != nil {
			return Entry{}, false, err
		}
		if content, err = YAML(content); err != nil {
			return Entry{}, false, err
		}
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	r, err := Parse(content, l.parseOptions("", ""))
	if err != nil {
		return Entry{}, false, err
	}
	id, err := l.idFor(r, content, c.ID)
	if err != nil {
		return Entry{}, false, err
	}
	if r, err = Parse(content, l.parseOptions("", id)); err != nil {
		return Entry{}, false, err
	}
	if err := l.free(r); err != nil {
		return Entry{}, false, err
	}
	return l.save(ctx, r, content, files, c, "")
}

// idFor is the id of a rule that is saved: what it says itself, that of the rule edited, that of the rule of
// its name, else one no rule has.
func (l *Library) idFor(r *Rule, content []byte, edited string) (string, error) {
	n, err := treeOf(content)
	if err != nil {
		return "", err
	}
	own := n.get("id")
	switch {
	case own != nil && edited != "" && r.ID != edited:
		return "", &Problems{List: []Problem{{Place: own.place, Text: "the id of a rule does not change: write " + edited + ", or make a new rule and delete this one"}}}
	case own != nil:
		return r.ID, nil
	case edited != "":
		return edited, nil
	}
	taken := map[string]bool{}
	for _, e := range l.All() {
		if e.Name() == r.Name {
			return e.ID, nil
		}
		taken[e.ID] = true
	}
	id := r.ID
	for i := 2; taken[id]; i++ {
		id = fmt.Sprintf("%s-%d", r.ID, i)
	}
	return id, nil
}

// free refuses an id or name that another rule has.
func (l *Library) free(r *Rule) error {
	for _, e := range l.All() {
		switch {
		case e.ID == r.ID && e.Origin == FromFile:
			return &ReadOnlyError{ID: e.ID, File: e.File}
		case e.ID != r.ID && e.Name() == r.Name:
			where := "the rule " + e.ID
			if e.Origin == FromFile {
				where = "the file " + e.File
			}
			return &Problems{List: []Problem{{Text: fmt.Sprintf("the name %s is already that of %s: choose another", quoted(r.Name), where)}}}
		}
	}
	return nil
}

// SetState turns a rule on, off, or into shadow mode. A rule that is so already has no new version.
func (l *Library) SetState(ctx context.Context, id string, s State, c Change) (e Entry, changed bool, err error) {
	l.changing.Lock()
	defer l.changing.Unlock()
	if e, err = l.Find(id); err == nil && e.Rule != nil && e.Rule.Enabled == s && (c.Base == Any || c.Base == e.Version) {
		return e, false, nil
	}
	if e, err = l.own(id); err != nil {
		return e, false, err
	}
	content, err := withState(e.Content, s)
	if err != nil {
		return e, false, err
	}
	r, err := Parse(content, l.parseOptions("", e.ID))
	if err != nil {
		return e, false, err
	}
	action := map[State]Action{On: Enabled, Off: Disabled, Shadow: Shadowed}[s]
	return l.save(ctx, r, content, e.files, c, action)
}

// Install makes a rule of the pack one of the database, in a state of its own and, unless source is empty, over
// that source. A rule of its id that is there already is a *ConflictError.
func (l *Library) Install(ctx context.Context, packed Entry, s State, source string, c Change) (Entry, error) {
	content, err := withState(packed.Content, s)
	if err == nil {
		content, err = withKey(content, "id", quoted(packed.ID))
	}
	if err == nil && source != "" {
		content, err = withKey(content, "source", quoted(source))
	}
	if err != nil {
		return Entry{}, err
	}
	files, err := packed.Attached()
	if err != nil {
		return Entry{}, err
	}
	c.Base = 0
	e, _, err := l.Apply(ctx, content, false, files, c)
	return e, err
}

// own is a rule of the database.
func (l *Library) own(id string) (Entry, error) {
	e, err := l.Find(id)
	if err == nil && e.Origin == FromFile {
		err = &ReadOnlyError{ID: e.ID, File: e.File}
	}
	return e, err
}

// Delete ends a rule. Its versions stay, and a rule of the same id made later goes on from them.
func (l *Library) Delete(ctx context.Context, id string, c Change) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	e, err := l.Find(id)
	if err != nil {
		return err
	}
	l.mu.Lock()
	own := l.database[e.ID] // also one that does not run because a file has its id
	l.mu.Unlock()
	if own == nil {
		return &ReadOnlyError{ID: e.ID, File: e.File}
	}
	e = *own
	_, err = l.write(ctx, e.ID, c, Deleted, nil, e.Content, e.files)
	if err != nil {
		return err
	}
	l.mu.Lock()
	delete(l.database, e.ID)
	l.mu.Unlock()
	l.gather()
	return nil
}

// save writes a version unless nothing differs. The caller holds l.changing.
func (l *Library) save(ctx context.Context, r *Rule, content []byte, files map[string][]byte, c Change, action Action) (Entry, bool, error) {
	files, err := onlyNamed(r, files)
	if err != nil {
		return Entry{}, false, err
	}
	l.mu.Lock()
	before := l.database[r.ID]
	l.mu.Unlock()
	var changes []Difference
	if before != nil {
		if c.Base != Any && c.Base != before.Version {
			return Entry{}, false, &ConflictError{ID: r.ID, Base: c.Base, Current: before.Version, Who: before.Who, At: before.Changed}
		}
		if bytes.Equal(before.Content, content) && equalFiles(before.files, files) {
			return *before, false, nil
		}
		if changes, err = Differences(before.Content, content); err != nil {
			return Entry{}, false, err
		}
		changes = append(changes, fileDifferences(before.files, files)...)
		if action == "" {
			action = Edited
		}
	} else if action == "" {
		action = Created
	}
	v, err := l.write(ctx, r.ID, c, action, changes, content, files)
	if err != nil {
		return Entry{}, false, err
	}
	e := &Entry{ID: r.ID, Origin: FromDatabase, Rule: r, Version: v.Version, Changed: v.At, Who: v.Who, Content: content, files: files}
	l.mu.Lock()
	l.database[r.ID] = e
	l.mu.Unlock()
	l.gather()
	return *e, true, nil
}

// onlyNamed are the files that the rule's tests name; one that lacks is a problem.
func onlyNamed(r *Rule, files map[string][]byte) (map[string][]byte, error) {
	out, total := map[string][]byte{}, 0
	for i, t := range r.Tests {
		if t.Events == "" {
			continue
		}
		content, ok := files[t.Events]
		if !ok {
			return nil, &Problems{List: []Problem{{Text: fmt.Sprintf("tests[%d].events: the file %s is not given with the rule: send it too, or write the documents into the rule", i, t.Events)}}}
		}
		if out[t.Events] == nil {
			total += len(content)
		}
		out[t.Events] = content
	}
	if total > mostEvents {
		return nil, &Problems{List: []Problem{{Text: fmt.Sprintf("the files of its tests have %d bytes, and %d are the most: leave out what the tests do not need", total, mostEvents)}}}
	}
	return out, nil
}

func equalFiles(a, b map[string][]byte) bool {
	for name, content := range a {
		if other, ok := b[name]; !ok || !bytes.Equal(content, other) {
			return false
		}
	}
	return len(a) == len(b)
}

// write adds a version in one transaction, in which it looks again that the rule is as c.Base says.
func (l *Library) write(ctx context.Context, id string, c Change, action Action, changes []Difference, content []byte, files map[string][]byte) (Version, error) {
	v := Version{ID: id, At: time.Now().UTC().Truncate(time.Microsecond), Who: c.Who, Action: action, Note: c.Note, Changes: changes}
	changesJSON, err := marshal(append([]Difference{}, changes...))
	if err != nil {
		return v, err
	}
	filesJSON, err := marshal(files)
	if err != nil {
		return v, err
	}
	err = l.db.Update(ctx, func(tx *store.Tx) error {
		var deleted bool
		err := tx.Row(`SELECT version, deleted FROM rules WHERE id = ?`, []any{id}, &v.Version, &deleted)
		fresh := errors.Is(err, sql.ErrNoRows)
		if err != nil && !fresh {
			return err
		}
		current := v.Version
		if fresh || deleted {
			current = 0
		}
		if c.Base != Any && c.Base != current {
			conflict := &ConflictError{ID: id, Base: c.Base, Current: current}
			var at int64
			if err := tx.Row(`SELECT at, who FROM rule_versions WHERE id = ? AND version = ?`, []any{id, v.Version}, &at, &conflict.Who); err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			conflict.At = store.Time(at)
			return conflict
		}
		v.Version++
		gone := 0
		if action == Deleted {
			gone = 1
		}
		if fresh {
			err = tx.Exec(`INSERT INTO rules (id, version, deleted) VALUES (?, ?, ?)`, id, v.Version, gone)
		} else {
			err = tx.Exec(`UPDATE rules SET version = ?, deleted = ? WHERE id = ?`, v.Version, gone, id)
		}
		if err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO rule_versions (id, version, at, who, action, note, changes, content, files) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			id, v.Version, store.Micros(v.At), v.Who, string(action), v.Note, changesJSON, content, filesJSON)
	})
	if err != nil {
		return v, fmt.Errorf("save rule %s: %w", id, err)
	}
	return v, nil
}

// loadDatabase reads the rules of the database. One that is wrong by now, as after its source has gone, does
// not run and is told of.
func (l *Library) loadDatabase(ctx context.Context) error {
	return l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(rows *sql.Rows) error {
			e := &Entry{Origin: FromDatabase}
			var (
				at    int64
				files []byte
			)
			if err := rows.Scan(&e.ID, &e.Version, &at, &e.Who, &e.Content, &files); err != nil {
				return err
			}
			e.Changed = store.Time(at)
			if err := json.Unmarshal(files, &e.files); err != nil {
				return fmt.Errorf("files of rule %s: %w", e.ID, err)
			}
			var err error
			if e.Rule, err = Parse(e.Content, l.parseOptions("", e.ID)); err != nil {
				e.Problems = problemsOf(err, "")
			}
			l.database[e.ID] = e
			return nil
		}, `SELECT r.id, r.version, v.at, v.who, v.content, v.files FROM rules r JOIN rule_versions v ON v.id = r.id AND v.version = r.version WHERE r.deleted = 0`)
	})
}

// History are the versions of a rule of the database, newest first, without their content; also those of a
// rule that was deleted. It is empty for a rule that never was.
func (l *Library) History(ctx context.Context, id string) ([]Version, error) {
	return l.versions(ctx, `SELECT id, version, at, who, action, note, changes, '' FROM rule_versions WHERE id = ? ORDER BY version DESC`, id)
}

// VersionOf is one version of a rule of the database with its content.
func (l *Library) VersionOf(ctx context.Context, id string, version int64) (Version, error) {
	found, err := l.versions(ctx, `SELECT id, version, at, who, action, note, changes, content FROM rule_versions WHERE id = ? AND version = ?`, id, version)
	if err == nil && len(found) == 0 {
		return Version{}, &NotFoundError{Name: fmt.Sprintf("%s, version %d", id, version)}
	}
	if err != nil {
		return Version{}, err
	}
	return found[0], nil
}

func (l *Library) versions(ctx context.Context, query string, args ...any) ([]Version, error) {
	out := []Version{}
	err := l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(rows *sql.Rows) error {
			var (
				v                Version
				at               int64
				changes, content []byte
			)
			if err := rows.Scan(&v.ID, &v.Version, &at, &v.Who, &v.Action, &v.Note, &changes, &content); err != nil {
				return err
			}
			v.At, v.Content = store.Time(at), string(content)
			if err := json.Unmarshal(changes, &v.Changes); err != nil {
				return fmt.Errorf("changes of rule %s, version %d: %w", v.ID, v.Version, err)
			}
			out = append(out, v)
			return nil
		}, query, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("read versions of rules: %w", err)
	}
	return slices.Clip(out), nil
}
