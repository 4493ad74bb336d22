package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Origin is where a rule comes from.
type Origin string

// The origins of rules.
const (
	// FromFile is a file of rules_dir; it is read-only here.
	FromFile Origin = "file"
	// FromDatabase is a rule made in the browser or applied; it has versions.
	FromDatabase Origin = "database"
	// FromPack is a rule of the starter pack, which does not run until it is enabled.
	FromPack Origin = "pack"
)

// Entry is a rule and where it stands. It is not changed once handed out.
type Entry struct {
	// ID is the rule's, or what it would be for a file that was never good.
	ID     string
	Origin Origin
	// Rule is the rule that runs: with Problems the last good version, nil where there is none.
	Rule *Rule
	// Problems are what is wrong with the rule as it is written now; empty for nothing.
	Problems []Problem
	// File is the path of a file's rule.
	File string
	// Version counts the versions of a rule of the database from 1; else 0.
	Version int64
	// Changed is when it was last changed, by Who; for a file the file's own time, and no one.
	Changed time.Time
	Who     string
	// Content is the YAML of Rule as it was written, or of a rule that was never good.
	Content []byte

	// files are what its tests read, by the name the rule gives them; nil for those beside a file.
	files map[string][]byte
	// tree holds the files of a rule of the pack.
	tree fs.FS
}

// Runs reports whether the rule is run.
func (e *Entry) Runs() bool { return e.Rule != nil && e.Rule.Enabled.Runs() }

// Name is the rule's name, or its id where there is none.
func (e *Entry) Name() string {
	if e.Rule != nil {
		return e.Rule.Name
	}
	return e.ID
}

// Revision names the version of the rule that runs: its number in the database, else a digest.
func (e *Entry) Revision() string {
	if e.Version > 0 {
		return fmt.Sprint(e.Version)
	}
	return digest(e.Content)[:12]
}

// looksUp reports whether what the rule is depends on tables, or may: a rule that is wrong may lack one.
func (e *Entry) looksUp() bool {
	return e.Rule == nil || len(e.Problems) > 0 || strings.Contains(strings.ToLower(e.Rule.Search), "lookup")
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// mostEvents is the largest file of a test.
const mostEvents = 8 << 20

// Events are the documents of a test of the rule.
func (e *Entry) Events(t Test) ([]byte, error) {
	if t.Events == "" {
		return t.Documents, nil
	}
	var (
		content []byte
		err     error
	)
	switch {
	case e.tree != nil:
		content, err = fs.ReadFile(e.tree, t.Events)
	case e.files == nil && e.File != "":
		content, err = readFile(filepath.Join(filepath.Dir(e.File), filepath.FromSlash(t.Events)), mostEvents)
	default:
		var ok bool
		if content, ok = e.files[t.Events]; !ok {
			err = errors.New("it was not applied with the rule: apply it again from where the file is")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("test %q of rule %s: read %s: %w", t.Name, e.ID, t.Events, err)
	}
	return content, nil
}

// Attached reads all files that the tests of the rule name.
func (e *Entry) Attached() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, t := range e.Rule.Tests {
		if t.Events == "" {
			continue
		}
		content, err := e.Events(t)
		if err != nil {
			return nil, err
		}
		out[t.Events] = content
	}
	return out, nil
}

// readFile reads a file of at most so many bytes.
func readFile(path string, most int64) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case st.IsDir():
		return nil, fmt.Errorf("%s is a directory", path)
	case st.Size() > most:
		return nil, fmt.Errorf("%s has %d bytes, and %d are the most", path, st.Size(), most)
	}
	return os.ReadFile(path)
}

// ReadFile reads a rule from a file, as rules_dir does. The error of a wrong rule is a *Problems; of a
// file that cannot be read it is not.
func ReadFile(path string, o ParseOptions) (*Entry, error) {
	content, err := readFile(path, mostBytes)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	o.File = path
	parse := Parse
	if strings.EqualFold(filepath.Ext(path), ".json") {
		parse = ParseJSON
	}
	r, err := parse(content, o)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(filepath.Ext(path), ".json") {
		if content, err = YAML(content); err != nil {
			return nil, err
		}
	}
	return &Entry{ID: r.ID, Origin: FromFile, Rule: r, File: path, Changed: st.ModTime().UTC(), Content: content}, nil
}

// problemsOf are the problems of an error of Parse, or the error as one.
func problemsOf(err error, file string) []Problem {
	var p *Problems
	if errors.As(err, &p) {
		return p.List
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return []Problem{{Place: Place{File: file}, Text: "cannot be read: " + err.Error()}}
}
