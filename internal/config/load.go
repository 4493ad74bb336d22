package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"tocsin/internal/yamltext"
)

// mostBytes is the largest configuration or secret file read.
const mostBytes = 1 << 20

// Load reads the configuration file at path. env looks up the variables of ${VAR}; nil is
// os.LookupEnv. A wrong file gives a *Problems that holds everything wrong with it, and no
// Config.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	if path == "" {
		return nil, &Problems{List: []Problem{{Text: "the path of the configuration file is empty: name a file, or leave --config out to run without one"}}}
	}
	text, err := readFile(path)
	if err != nil {
		return nil, &Problems{List: []Problem{{Place: Place{File: path}, Text: fmt.Sprintf("cannot be read: %v", err)}}}
	}
	return Parse(path, text, env)
}

// Parse is Load with the text of the file in hand; path is what places name and what relative
// paths are relative to.
func Parse(path string, text []byte, env func(string) (string, bool)) (*Config, error) {
	return parse(path, text, env, nil)
}

func parse(path string, text []byte, env func(string) (string, bool), sections []Section) (*Config, error) {
	if env == nil {
		env = os.LookupEnv
	}
	d := &decoder{
		file:   path,
		dir:    filepath.Dir(path),
		env:    env,
		places: map[string]Place{"": {File: path, Line: 1, Column: 1}},
	}
	c := Default()
	c.File, c.text, c.env, c.written = path, text, env, true
	if root, ok := d.parse(text); ok {
		d.config(root, c, strings.TrimPrefix(string(text), "\ufeff"), sections)
	}
	d.settle()
	if len(d.problems) > 0 {
		return nil, &Problems{List: yamltext.Sorted(d.problems)}
	}
	c.Warnings = yamltext.Sorted(d.warnings)
	c.places = d.places
	return c, nil
}

// config reads the whole file, and the sections below it, into c, which holds the defaults.
func (d *decoder) config(root ast.Node, c *Config, text string, sections []Section) {
	m := d.mapping(root, "", d.start())
	d.sections(m, text, sections)
	listen, ok := m.word("listen")
	if t := listen; ok {
		if addr, err := ParseListen(t.value); err != nil {
			d.wrong(t, err.Error())
		} else {
			c.Listen = addr
		}
	}
	c.DataDir = filepath.Join(d.dir, c.DataDir)
	if path, _, ok := m.path("data_dir"); ok {
		c.DataDir = path
	}
	c.Sources = d.sources(m)
	c.Detections = d.detections(m, c.Sources)
	c.Slack = d.slack(m)
	c.Notify = d.outputs(m)
	c.TimeIntervals = d.timeIntervals(m)
	c.Maintenance = d.maintenance(m, c.TimeIntervals)
	c.Inhibit = d.inhibitRules(m)
	c.Digests = d.digests(m, c.Slack)
	c.Retention = d.retention(m)
	c.Route = d.rootRoute(m, c.Route, c.Slack, c.TimeIntervals)
	d.toOutputs(c.Route, "route", c.Notify)
	if path, _, ok := m.path("rules_dir"); ok {
		c.RulesDir = path
	}
	c.Lookups = d.lookups(m)
	c.WriteBack = d.writeBack(m, c.Sources)
	d.login(m, c, listen)
	m.close()
}

// parse turns the text into the one YAML document it must be; nil stands for an empty one.
func (d *decoder) parse(text []byte) (root ast.Node, ok bool) {
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	if line, column, broken := yamltext.NotUTF8(string(text)); broken {
		d.problem(Place{File: d.file, Line: line, Column: column}, "this character is not UTF-8: save the file as UTF-8")
		return nil, false
	}
	d.source = yamltext.NewText(d.file, string(text))
	file, err := yamltext.Parse(string(text))
	if err != nil {
		d.syntax(err)
		return nil, false
	}
	documents := yamltext.Documents(file)
	if len(documents) == 0 {
		return nil, true
	}
	if len(documents) > 1 {
		d.problem(d.placeOf(documents[1]), "starts a second YAML document: a configuration is one; delete the line --- before it")
	}
	d.findAnchors(documents[0])
	return documents[0], true
}

// syntax reports what the parser refuses.
func (d *decoder) syntax(err error) {
	place, said := d.start(), ""
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		said = err.Error()
	} else { // its Error would show the lines around, with their secrets
		said = syntax.GetMessage()
		if at := syntax.GetToken(); at != nil && at.Position != nil {
			place = d.source.At(at.Position.Line, at.Position.Column)
		}
	}
	said = "is not valid YAML: " + said
	if line := d.source.Line(place.Line); strings.Contains(line, "${") && strings.ContainsAny(line, "[{,") {
		said += `; a ${VAR} inside [ ] or { } must be in quotes: ["${VAR}"]`
	} else if strings.Contains(said, "mapping value is not allowed") {
		said += `; text with a colon and a space in it must be in quotes: 'severity: critical'`
	} else {
		said += "; look at the indentation, quotes and brackets here and in the line before"
	}
	d.problem(place, said)
}

// readFile reads a file of at most mostBytes. Its errors do not name the path.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(text) > mostBytes {
		return nil, errors.New("it is larger than 1 MiB")
	}
	return text, nil
}

// withoutPath is the error below a *fs.PathError: the path may hold what came from a variable.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
