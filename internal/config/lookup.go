package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tableEndings are the endings of the files that hold a table.
var tableEndings = []string{".csv", ".ndjson", ".jsonl", ".json"}

// lookups reads the tables that searches may name: a name, and the file. What stands in the files is read by who
// searches, again whenever it changes.
func (d *decoder) lookups(root *mapping) map[string]string {
	m := root.section("lookups")
	if m == nil {
		return nil
	}
	out := map[string]string{}
	for _, e := range m.entries {
		path, t, ok := m.path(e.name)
		if !ok {
			continue
		}
		switch {
		case !nameForm.MatchString(e.name):
			d.problem(e.place, join(m.key, e.name)+" "+nameRule)
			continue
		case !slices.Contains(tableEndings, strings.ToLower(filepath.Ext(path))):
			d.wrong(t, "is no table: name a .csv file with a header, or a .ndjson file")
			continue
		}
		switch st, err := os.Stat(path); {
		case err != nil:
			d.wrong(t, "cannot be read: "+withoutPath(err).Error())
		case st.IsDir():
			d.wrong(t, "is a directory: name a .csv or .ndjson file")
		default:
			out[e.name] = path
		}
	}
	m.close()
	return out
}
