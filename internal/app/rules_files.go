package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tocsin/internal/rule"
)

// RuleFile is a rule read from a file, ready to be applied.
type RuleFile struct {
	Path, ID, Name string
	// Content is the rule as YAML.
	Content string
	// Files are what its tests read, by the names the rule gives them.
	Files map[string][]byte

	entry *rule.Entry
}

// ReadRules reads the rules of files, and of all *.yaml and *.yml below directories. All that is wrong with any
// of them is one *InputError. Sources are the names of the sources there are; nil leaves those of rules
// unchecked. Tables are those that searches may name.
func ReadRules(paths, sources []string, tables Tables) ([]RuleFile, error) {
	found, err := ruleFiles(paths)
	if err != nil {
		return nil, &InputError{err}
	}
	var (
		out      []RuleFile
		problems []string
	)
	for _, path := range found {
		id := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		e, err := rule.ReadFile(path, rule.ParseOptions{Sources: sources, Lookups: tables})
		if err != nil {
			var known *rule.Problems
			if !errors.As(err, &known) {
				err = fmt.Errorf("rule %s: %w", id, err)
			}
			problems = append(problems, err.Error())
			continue
		}
		files, err := e.Attached()
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", path, err))
			continue
		}
		out = append(out, RuleFile{Path: path, ID: e.ID, Name: e.Rule.Name, Content: string(e.Content), Files: files, entry: e})
	}
	if len(problems) > 0 {
		return nil, &InputError{errors.New(strings.Join(problems, "\n"))}
	}
	return out, nil
}

// DistinctRules refuses rules of one name, which would be saved over each other.
func DistinctRules(rules []RuleFile) error {
	names := map[string]string{}
	for _, r := range rules {
		if first := names[r.Name]; first != "" {
			return wrong("%s: the name %q is already that of %s: choose another", r.Path, r.Name, first)
		}
		names[r.Name] = r.Path
	}
	return nil
}

// ruleFiles are the files that paths name, those of directories in order.
func ruleFiles(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !st.IsDir() {
			out = append(out, path)
			continue
		}
		var below []string
		err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if name != path && strings.HasPrefix(d.Name(), ".") {
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
			if ext := strings.ToLower(filepath.Ext(name)); !d.IsDir() && (ext == ".yaml" || ext == ".yml") {
				below = append(below, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(below) == 0 {
			return nil, fmt.Errorf("%s has no *.yaml: name a rule's file, or a directory of them", path)
		}
		slices.Sort(below)
		out = append(out, below...)
	}
	return out, nil
}

// RuleTests is what came of the tests of one rule.
type RuleTests struct {
	ID    string            `json:"id"`
	Name  string            `json:"name"`
	Tests []rule.TestResult `json:"tests"`
}

// TestRules runs the tests of rules read from files with the tables that they were read with.
func TestRules(ctx context.Context, rules []RuleFile, tables Tables) ([]RuleTests, error) {
	tester := RuleTester(func() Tables { return tables })
	var out []RuleTests
	for _, f := range rules {
		results, err := tester.Run(ctx, f.entry)
		if err != nil {
			return nil, err
		}
		out = append(out, RuleTests{ID: f.ID, Name: f.Name, Tests: results})
	}
	return out, nil
}

// TestPack runs the tests of the starter pack.
func TestPack(ctx context.Context) ([]RuleTests, error) {
	var rules []RuleFile
	for _, e := range rule.Pack() {
		rules = append(rules, RuleFile{ID: e.ID, Name: e.Rule.Name, entry: &e})
	}
	return TestRules(ctx, rules, nil)
}

// WriteRule writes a rule and the files of its tests below a directory, and gives the path. Where files of tests
// of several rules have one name, the second must say the same.
func WriteRule(dir, id, content string, files map[string][]byte) (string, error) {
	path := filepath.Join(dir, filepath.FromSlash(id)+".yaml")
	for _, part := range strings.Split(id, "/") {
		if part == "" || strings.HasPrefix(part, ".") {
			return "", wrong("rule %s cannot be a file of that name: give it another id", id)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	for name, file := range files {
		at := filepath.Join(filepath.Dir(path), filepath.FromSlash(name))
		if have, err := os.ReadFile(at); err == nil && string(have) != string(file) {
			return "", wrong("%s is there already and says something else: export into an empty directory", at)
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(at, file, 0o644); err != nil {
			return "", err
		}
	}
	return path, os.WriteFile(path, []byte(content), 0o644)
}
