package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"tocsin/internal/testkit"
)

// use is what the tests wrote down about the servers and documents they used or missed.
type use struct {
	rows        map[row]map[string]bool // and the names of the tests
	unavailable map[string]string       // variable: why there is no server
}

type row struct{ what, use, name, detail string }

// readUse reads both files; one that is not there says nothing.
func readUse(report, unavailable string) (use, error) {
	u := use{rows: map[row]map[string]bool{}, unavailable: map[string]string{}}
	err := eachLine(report, 5, func(f []string) {
		r := row{f[0], f[1], f[2], f[3]}
		if u.rows[r] == nil {
			u.rows[r] = map[string]bool{}
		}
		u.rows[r][f[4]] = true
	})
	if err != nil {
		return use{}, err
	}
	return u, eachLine(unavailable, 2, func(f []string) { u.unavailable[f[0]] = f[1] })
}

func eachLine(path string, fields int, each func([]string)) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != fields {
			return fmt.Errorf("read %s: %q has %d fields, not %d", path, line, len(f), fields)
		}
		each(f)
	}
	return nil
}

func (u use) print(w io.Writer) {
	fmt.Fprintln(w, "\nReal servers and documents:")
	for _, kind := range slices.Insert(slices.Clone(testkit.Kinds), 1, testkit.OpenSearchTLS) {
		u.printServer(w, kind)
	}
	asked := false
	for _, r := range slices.SortedFunc(maps.Keys(u.rows), func(a, b row) int { return strings.Compare(a.use, b.use) }) {
		if r.what == "documents" {
			asked = true
			u.line(w, strings.ToUpper(r.name[:1])+r.name[1:], r.use, r.detail+" ("+tests(len(u.rows[r]))+")")
		}
	}
	if !asked {
		u.line(w, "Real documents", "not used", "no test asked for them")
	}
	for r := range u.rows {
		if r.what == "browser" {
			u.line(w, r.name, r.use, r.detail+" ("+tests(len(u.rows[r]))+")")
		}
	}
	u.printShippers(w)
}

// printShippers names each shipper that events were sent with, and each that was not there.
func (u use) printShippers(w io.Writer) {
	var found []row
	for r := range u.rows {
		if r.what == "shipper" {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return
	}
	fmt.Fprintln(w, "\nShippers that events were sent with:")
	slices.SortFunc(found, func(a, b row) int { return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.use, b.use)) })
	for _, r := range found {
		if r.use == "used" {
			u.line(w, r.name, "used", r.detail)
		} else {
			u.line(w, r.name, "NOT USED", r.detail)
		}
	}
}

func (u use) printServer(w io.Writer, kind testkit.Kind) {
	used, missed := map[string]int{}, map[string]int{}
	for r, names := range u.rows {
		switch {
		case r.what != "server" || r.name != string(kind):
		case r.use == "used":
			used[r.detail] += len(names)
		default:
			missed[r.detail] += len(names)
		}
	}
	for _, version := range slices.Sorted(maps.Keys(used)) {
		u.line(w, string(kind), "used", version+" ("+tests(used[version])+")")
	}
	for _, why := range slices.Sorted(maps.Keys(missed)) {
		n := missed[why]
		if because := u.unavailable[kind.Variable()]; because != "" {
			why = because
		}
		u.line(w, string(kind), "NOT USED", why+" ("+tests(n)+" asked for it)")
	}
	if len(used)+len(missed) > 0 {
		return
	}
	why := "no test asked for it"
	if because := u.unavailable[kind.Variable()]; because != "" {
		why = because
	}
	u.line(w, string(kind), "not used", why)
}

func (u use) line(w io.Writer, name, use, detail string) {
	fmt.Fprintf(w, "  %-19s %-9s %s\n", name, use, detail)
}

func tests(n int) string {
	if n == 1 {
		return "1 test"
	}
	return fmt.Sprintf("%d tests", n)
}
