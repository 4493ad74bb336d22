package rule

import (
	"fmt"
	"maps"
	"slices"
)

// ReadDir reads the rules of a directory as a library does of rules_dir, in the order of their paths. What is wrong
// with one, a name or id that another has included, is in its Problems. The error is of the directory.
func ReadDir(dir string, o ParseOptions) ([]Entry, error) {
	found, err := ruleFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("read rules of %s: %w", dir, err)
	}
	var out []Entry
	ids, names := map[string]string{}, map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		o.File, o.ID = path, idOfPath(dir, path)
		e, err := ReadFile(path, o)
		if err != nil {
			out = append(out, Entry{ID: o.ID, Origin: FromFile, File: path, Problems: problemsOf(err, path)})
			continue
		}
		what, first := "id "+e.ID, ids[e.ID]
		if first == "" {
			what, first = "name "+quoted(e.Rule.Name), names[e.Rule.Name]
		}
		if first != "" {
			e.Problems = []Problem{{Place: Place{File: path}, Text: fmt.Sprintf("the %s is already that of %s: change one of them, or delete one", what, first)}}
		}
		ids[e.ID], names[e.Rule.Name] = path, path
		out = append(out, *e)
	}
	return out, nil
}
