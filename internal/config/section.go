package config

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"tocsin/internal/yamltext"
)

// Section is a top-level section that was set elsewhere than in the file, in the browser. Variables are not read in
// it, nor files but ca_file: who sets it need not be who may read them.
type Section struct {
	// Name is one of SectionNames.
	Name string
	// Text is YAML, a mapping of the one key Name.
	Text string
	// Secrets are what stands for values that are written as Kept, by their key, such as "sources[0].api_key".
	Secrets map[string]string
}

// Kept is written where a stored secret stands.
const Kept = hidden

// SectionNames are the sections that may be set elsewhere than in the file.
var SectionNames = []string{"sources", "detections", "slack", "notify", "route", "time_intervals", "maintenance_windows", "inhibit_rules", "digests"}

// sectionRoot begins the name of the file in places within a section.
const sectionRoot = "settings/"

// SectionFile is what places within a section name as their file.
func SectionFile(name string) string { return sectionRoot + name }

// Sets says whether the file of the configuration has the section. Of one that was read from no file it is what
// differs from the default.
func (c *Config) Sets(section string) bool {
	if c.written {
		_, there := c.places[section]
		return there && !strings.HasPrefix(c.Place(section).File, sectionRoot)
	}
	switch section {
	case "sources":
		return len(c.Sources) != 1 || c.Sources[0].Name != DefaultSource
	case "detections":
		return len(c.Detections) > 0
	case "slack":
		return c.Slack != nil
	case "notify":
		return len(c.Notify) > 0
	case "route":
		return c.Route.Channel != "" || len(c.Route.Routes) > 0
	case "time_intervals":
		return len(c.TimeIntervals) > 0
	case "maintenance_windows":
		return len(c.Maintenance) > 0
	case "inhibit_rules":
		return len(c.Inhibit) > 0
	case "digests":
		return len(c.Digests) > 0
	}
	return false
}

// With is the configuration of the same file with the sections besides: those that the file sets are left out, as the
// file wins. What is wrong is a *Problems, with places in the file or in a section.
func (c *Config) With(sections []Section) (*Config, error) {
	sections = slices.DeleteFunc(slices.Clone(sections), func(s Section) bool { return c.Sets(s.Name) })
	if len(sections) == 0 {
		return c, nil
	}
	parsed, err := parse(c.File, c.text, c.env, sections)
	if err != nil {
		return nil, err
	}
	out := *c
	has := func(name string) bool {
		return c.written || slices.ContainsFunc(sections, func(s Section) bool { return s.Name == name })
	}
	if has("sources") {
		out.Sources = parsed.Sources
	}
	if has("detections") {
		out.Detections = parsed.Detections
	}
	if has("slack") {
		out.Slack, out.Route, out.Digests = parsed.Slack, parsed.Route, parsed.Digests
	}
	if has("notify") {
		out.Notify = parsed.Notify
	}
	if has("route") {
		out.Route = parsed.Route
	}
	if has("time_intervals") {
		out.TimeIntervals = parsed.TimeIntervals
	}
	if has("maintenance_windows") {
		out.Maintenance = parsed.Maintenance
	}
	if has("inhibit_rules") {
		out.Inhibit = parsed.Inhibit
	}
	if has("digests") {
		out.Digests = parsed.Digests
	}
	out.WriteBack, out.Warnings, out.places = parsed.WriteBack, parsed.Warnings, parsed.places
	return &out, nil
}

// above is a section's place in the text that is read: below the file and the sections before it.
type above struct {
	name    string
	lines   int // that stand above it
	secrets map[string]string
}

// sections adds the pairs of sections to those of the file. Each is read as if it stood below what is before it, so
// that one number of a line says where a value stands.
func (d *decoder) sections(m *mapping, text string, sections []Section) {
	for _, s := range sections {
		at := above{name: s.Name, lines: strings.Count(text, "\n") + 1, secrets: s.Secrets}
		d.below = append(d.below, at)
		text += "\n" + s.Text
		d.source = yamltext.NewText(d.file, text)
		begin := Place{File: d.file, Line: at.lines + 1, Column: 1}
		if line, column, broken := yamltext.NotUTF8(s.Text); broken {
			d.problem(Place{File: d.file, Line: at.lines + line, Column: column}, "this character is not UTF-8")
			continue
		}
		file, err := yamltext.Parse(strings.Repeat("\n", at.lines) + s.Text)
		if err != nil {
			before := len(d.problems)
			d.syntax(err)
			for i := before; i < len(d.problems); i++ {
				if d.problems[i].Place.Line <= at.lines {
					d.problems[i].Place = begin
				}
			}
			continue
		}
		documents := yamltext.Documents(file)
		if len(documents) != 1 {
			d.problem(begin, "must be one document with the key "+s.Name)
			continue
		}
		if len(ast.Filter(ast.AnchorType, documents[0]))+len(ast.Filter(ast.AliasType, documents[0]))+len(ast.Filter(ast.MergeKeyType, documents[0])) > 0 {
			d.problem(begin, "anchors, aliases and << are not read here: write the values out")
			continue
		}
		for _, e := range d.entries(documents[0], "", begin, true) {
			if e.name != s.Name {
				d.problem(e.place, e.name+" does not belong here: only "+s.Name+" does")
				continue
			}
			m.entries = append(m.entries, e)
		}
	}
}

// sectionAt is the section in which a place stands; nil for the file.
func (d *decoder) sectionAt(p Place) *above {
	for i := len(d.below) - 1; i >= 0; i-- {
		if p.Line > d.below[i].lines {
			return &d.below[i]
		}
	}
	return nil
}

// placed is a place as its reader knows it: in the file, or in a section.
func (d *decoder) placed(p Place) Place {
	if s := d.sectionAt(p); s != nil {
		return Place{File: SectionFile(s.name), Line: p.Line - s.lines, Column: p.Column}
	}
	return p
}

// settle gives every place its file.
func (d *decoder) settle() {
	if len(d.below) == 0 {
		return
	}
	for i := range d.problems {
		d.problems[i].Place = d.placed(d.problems[i].Place)
	}
	for i := range d.warnings {
		d.warnings[i].Place = d.placed(d.warnings[i].Place)
	}
	for key, p := range d.places {
		d.places[key] = d.placed(p)
	}
}

// stored fills a text of a section in: a secret that is kept, no variable. The text is not there after a problem.
func (d *decoder) stored(s *above, t text) (text, bool) {
	t.value = t.written
	if t.written == Kept {
		value, ok := s.secrets[t.key]
		if !ok {
			d.problem(t.place, t.key+" is not known any more: enter it again (a stored secret is forgotten when the host, proxy, CA or fingerprint changes, so that it goes nowhere else)")
			return text{}, false
		}
		t.value, t.secret = value, true
	} else if !t.secret && strings.Contains(t.written, "${") {
		d.problem(t.place, t.key+" has a variable, and variables are read in the file only: write the value")
		return text{}, false
	}
	if strings.TrimSpace(t.value) == "" {
		d.problem(t.place, t.key+" is empty: write a value, or delete the key")
		return text{}, false
	}
	for i, c := range []rune(t.value) {
		for range utf8.RuneLen(c) {
			t.from = append(t.from, i)
		}
	}
	t.from = append(t.from, utf8.RuneCountInString(t.value))
	return t, true
}
