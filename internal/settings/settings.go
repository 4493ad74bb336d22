// Package settings owns what people set in the browser of what else stands in the configuration file: sources,
// detections, Slack, the other outputs and routes; every version of it with who set it and when, and the secrets in
// it, encrypted. What a section means and what is wrong with it is config's; what is connected by it is app's.
package settings

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/store"
)

// Migrations are the tables of this room. The newest version of a section holds; an empty text is a section that was
// taken back. Secrets are sealed, and the text has a mark in their place.
var Migrations = []store.Migration{{ID: "settings/1", SQL: `
CREATE TABLE setting_versions (
	section TEXT NOT NULL,
	version BIGINT NOT NULL,
	at      BIGINT NOT NULL,
	who     TEXT NOT NULL,
	note    TEXT NOT NULL,
	body    TEXT NOT NULL,
	secrets TEXT NOT NULL,
	PRIMARY KEY (section, version)
);`}}

// Options say where settings are kept, and what they are added to.
type Options struct {
	DB *store.DB
	// Dir is where the key of the secrets is: data_dir.
	Dir string
	// File is the configuration that settings are added to. What it sets cannot be set here.
	File *config.Config
	// Try is asked before a change is kept whether what it makes of the configuration can be built; nil is no question.
	Try func(context.Context, *config.Config) error
	// Changed is called after each change; nil is none.
	Changed func()
	Log     *slog.Logger
	// Now is the clock; nil is the machine's.
	Now func() time.Time
}

// Settings keep what was set. Methods may be called concurrently.
type Settings struct {
	o      Options
	change sync.Mutex // held from the look at what holds until a change of it is kept
	key    keyFile
}

// New checks the options.
func New(o Options) (*Settings, error) {
	if o.DB == nil || o.Dir == "" || o.File == nil || o.Log == nil {
		return nil, errors.New("settings: DB, Dir, File and Log are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Settings{o: o, key: keyFile{dir: o.Dir}}, nil
}

// Section is a section as it stands. No secret is in it.
type Section struct {
	Name string `json:"name" enum:"sources,detections,slack,notify,route,time_intervals,maintenance_windows,inhibit_rules,digests"`
	// InFile says that the file sets it: then it is read-only here, and the rest is empty.
	InFile  bool      `json:"in_file" doc:"The file sets it: it is read-only here."`
	Text    string    `json:"text" doc:"YAML with the one key that is the name; [secret] stands for a stored secret. Empty where nothing is set."`
	Version int64     `json:"version" doc:"0 where nothing was ever set."`
	Who     string    `json:"who,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// Version is one version of a section.
type Version struct {
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Note    string    `json:"note,omitempty"`
	Text    string    `json:"text" doc:"As Text of the section; empty where it was taken back."`
}

// Change is a section to be set.
type Change struct {
	Section string
	// Text is as Section.Text, with new secrets written out; empty takes the section back.
	Text string
	// Based is the version that the change was made from; AnyVersion is whichever.
	Based int64
	Who   string
	Note  string
}

// AnyVersion is no condition on what a change was made from.
const AnyVersion = -1

// InFileError is a section that cannot be set, as the file sets it.
type InFileError struct{ Section, File string }

func (e *InFileError) Error() string {
	file := e.File
	if file == "" {
		file = "the configuration this process was started with"
	}
	return fmt.Sprintf("%s is set in %s, which wins: change it there, or delete it there to set it here", e.Section, file)
}

// ConflictError is a change of a version that somebody else has changed since.
type ConflictError struct {
	Section, Who string
	Version      int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s was changed by %s meanwhile (version %d): look at what is set now, and change that", e.Section, e.Who, e.Version)
}

// UnknownError is a section that is none, or that only the file can set.
type UnknownError struct{ Section string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no section is called %q: there are %s; everything else is set in the file", e.Section, strings.Join(config.SectionNames, ", "))
}

// RefusedError is a change that is well formed and cannot be put in place.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return "this cannot be put in place: " + e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// kept is the newest version of a section with its sealed secrets.
type kept struct {
	Section
	sealed map[string]string // by owner and key
}

// Sections are all that can be set, in the order of config.SectionNames.
func (s *Settings) Sections(ctx context.Context) ([]Section, error) {
	all, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	var out []Section
	for _, name := range config.SectionNames {
		if s.o.File.Sets(name) {
			out = append(out, Section{Name: name, InFile: true})
			continue
		}
		one := all[name].Section
		one.Name = name
		out = append(out, one)
	}
	return out, nil
}

// Section is one of them; an *UnknownError where there is none of the name.
func (s *Settings) Section(ctx context.Context, name string) (Section, error) {
	all, err := s.Sections(ctx)
	if err != nil {
		return Section{}, err
	}
	i := slices.IndexFunc(all, func(one Section) bool { return one.Name == name })
	if i < 0 {
		return Section{}, &UnknownError{name}
	}
	return all[i], nil
}

// read gives the newest version of each section that was ever set.
func (s *Settings) read(ctx context.Context) (map[string]kept, error) {
	out := map[string]kept{}
	err := s.o.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(rows *sql.Rows) error {
			var (
				one     kept
				at      int64
				secrets string
			)
			if err := rows.Scan(&one.Name, &one.Version, &at, &one.Who, &one.Text, &secrets); err != nil {
				return err
			}
			one.At = store.Time(at)
			if err := json.Unmarshal([]byte(secrets), &one.sealed); err != nil {
				return fmt.Errorf("secrets of %s: %w", one.Name, err)
			}
			out[one.Name] = one
			return nil
		}, `SELECT section, version, at, who, body, secrets FROM setting_versions AS v
			WHERE version = (SELECT MAX(version) FROM setting_versions WHERE section = v.section)`)
	})
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return out, nil
}

// Versions are those of a section, newest first.
func (s *Settings) Versions(ctx context.Context, section string) ([]Version, error) {
	out := []Version{}
	err := s.o.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(rows *sql.Rows) error {
			var (
				v  Version
				at int64
			)
			if err := rows.Scan(&v.Version, &at, &v.Who, &v.Note, &v.Text); err != nil {
				return err
			}
			v.At = store.Time(at)
			out = append(out, v)
			return nil
		}, `SELECT version, at, who, note, body FROM setting_versions WHERE section = ? ORDER BY version DESC`, section)
	})
	if err != nil {
		return nil, fmt.Errorf("read versions of %s: %w", section, err)
	}
	return out, nil
}

// Effective is the file with all that is set. A section that is wrong, as after a change of the file, is left out
// and told by wrong, so that a process starts in which it can be mended; nil where nothing is.
func (s *Settings) Effective(ctx context.Context) (cfg *config.Config, wrong *config.Problems, err error) {
	all, err := s.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	var told []config.Problem
	for {
		sections, err := s.opened(all)
		if err != nil {
			return nil, nil, err
		}
		cfg, err := s.o.File.With(sections)
		var problems *config.Problems
		if !errors.As(err, &problems) {
			if len(told) > 0 {
				wrong = &config.Problems{List: told}
			}
			return cfg, wrong, err
		}
		left := len(all)
		for _, p := range problems.List {
			told = append(told, p)
			for name := range all {
				if p.Place.File == config.SectionFile(name) {
					delete(all, name)
				}
			}
		}
		if len(all) == left { // it is said of the file: all that was set goes, or the file itself is wrong
			if left == 0 {
				return nil, nil, problems
			}
			clear(all)
		}
	}
}

// Held is all that is set, for config, secrets included: for whoever may read the key as well.
func (s *Settings) Held(ctx context.Context) ([]config.Section, error) {
	all, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return s.opened(all)
}

// opened are sections for config, their secrets beside them.
func (s *Settings) opened(all map[string]kept) ([]config.Section, error) {
	var out []config.Section
	for _, name := range config.SectionNames {
		one, there := all[name]
		if !there || one.Text == "" || s.o.File.Sets(name) {
			continue
		}
		secrets, _, err := s.resolve(name, one.Text, one.sealed)
		if err != nil {
			return nil, err
		}
		out = append(out, config.Section{Name: name, Text: one.Text, Secrets: secrets})
	}
	return out, nil
}

// Preview is the configuration as it would be with a change, which is kept nowhere; what is wrong is a
// *config.Problems.
func (s *Settings) Preview(ctx context.Context, c Change) (*config.Config, error) {
	all, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	_, cfg, err := s.judge(c, all)
	return cfg, err
}

// judge reads a change as what it makes of the section and of the configuration.
func (s *Settings) judge(c Change, all map[string]kept) (kept, *config.Config, error) {
	switch {
	case !slices.Contains(config.SectionNames, c.Section):
		return kept{}, nil, &UnknownError{c.Section}
	case s.o.File.Sets(c.Section):
		return kept{}, nil, &InFileError{c.Section, s.o.File.File}
	}
	before := all[c.Section]
	next := kept{Section: Section{Name: c.Section, Version: before.Version + 1, Who: c.Who, At: s.o.Now()}}
	others := map[string]kept{}
	for name, one := range all {
		if name != c.Section {
			others[name] = one
		}
	}
	sections, err := s.opened(others)
	if err != nil {
		return kept{}, nil, err
	}
	var found tree
	if strings.TrimSpace(c.Text) != "" {
		var secrets map[string]string
		if secrets, found, err = s.resolve(c.Section, c.Text, before.sealed); err != nil {
			return kept{}, nil, err
		}
		sections = append(sections, config.Section{Name: c.Section, Text: c.Text, Secrets: secrets})
	}
	cfg, err := s.o.File.With(sections)
	if err != nil || strings.TrimSpace(c.Text) == "" {
		return next, cfg, err
	}
	next.Text, next.sealed, err = s.close(c.Section, found)
	return next, cfg, err
}

// Put sets a section. Wrong input is a *config.Problems, an *InFileError, *UnknownError, *ConflictError or
// *RefusedError; then nothing has changed.
func (s *Settings) Put(ctx context.Context, c Change) (Section, error) {
	s.change.Lock()
	defer s.change.Unlock()
	all, err := s.read(ctx)
	if err != nil {
		return Section{}, err
	}
	next, cfg, err := s.judge(c, all)
	if err != nil {
		return Section{}, err
	}
	before := all[c.Section]
	if c.Based != AnyVersion && c.Based != before.Version {
		return Section{}, &ConflictError{c.Section, before.Who, before.Version}
	}
	if s.o.Try != nil {
		if err := s.o.Try(ctx, cfg); err != nil {
			return Section{}, &RefusedError{err}
		}
	}
	sealed, err := json.Marshal(next.sealed)
	if err != nil {
		return Section{}, fmt.Errorf("write secrets of %s: %w", c.Section, err)
	}
	err = s.o.DB.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO setting_versions (section, version, at, who, note, body, secrets) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			c.Section, next.Version, store.Micros(next.At), c.Who, c.Note, next.Text, string(sealed))
	})
	if err != nil {
		return Section{}, fmt.Errorf("keep %s: %w", c.Section, err)
	}
	s.o.Log.Info("a setting was changed in the browser", "section", c.Section, "version", next.Version, "who", c.Who)
	if s.o.Changed != nil {
		s.o.Changed()
	}
	return next.Section, nil
}
