package rule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/duration"
	"tocsin/internal/nearest"
	"tocsin/internal/query"
	"tocsin/internal/yamltext"
)

// ParseOptions are what a rule is read with. The zero value is fine.
type ParseOptions struct {
	// File is named in places.
	File string
	// ID is the rule's where it gives none itself; empty makes one of its name.
	ID string
	// Sources are the names of the sources there are; nil leaves them unchecked.
	Sources []string
	// Lookups are the tables its search may name.
	Lookups map[string]*query.Table
	// Now is when exceptions are judged expired; zero is the present.
	Now time.Time
}

// The defaults of a rule.
const (
	defaultEvery     = 5 * time.Minute
	defaultMaxAlerts = 1000

	leastEvery = time.Second
	mostWindow = 366 * 24 * time.Hour
)

// riskOf are the scores of severities, as Kibana pairs them.
var riskOf = map[alert.Severity]float64{
	alert.SeverityLow: 21, alert.SeverityMedium: 47, alert.SeverityHigh: 73, alert.SeverityCritical: 99,
}

// Parse reads a rule written as YAML. A wrong one gives a *Problems that holds everything wrong with it.
func Parse(content []byte, o ParseOptions) (*Rule, error) {
	return parseWith(content, o, (*reader).yaml)
}

// ParseJSON reads a rule written as JSON; what it may say is the same as in YAML.
func ParseJSON(content []byte, o ParseOptions) (*Rule, error) {
	return parseWith(content, o, (*reader).json)
}

func parseWith(content []byte, o ParseOptions, tree func(*reader, string) *node) (*Rule, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	d := &decoder{options: o, reader: reader{source: yamltext.NewText(o.File, "")}}
	d.rule = d.read(content, tree)
	if len(d.problems) > 0 {
		return nil, &Problems{List: yamltext.Sorted(d.problems)}
	}
	d.rule.Warnings = yamltext.Sorted(d.warnings)
	return d.rule, nil
}

// decoder makes a rule of nodes. It goes on after a problem, so that all are found.
type decoder struct {
	reader
	options ParseOptions
	rule    *Rule
}

func (d *decoder) read(content []byte, tree func(*reader, string) *node) *Rule {
	whole := strings.TrimPrefix(string(content), "\ufeff")
	if len(whole) > mostBytes {
		d.problem(Place{File: d.options.File}, "the rule is larger than 1 MiB: put documents of tests into files")
		return nil
	}
	if !d.wellFormed(whole) {
		return nil
	}
	d.source = yamltext.NewText(d.options.File, whole)
	n := tree(&d.reader, whole)
	if n == nil {
		return nil
	}
	d.check(n, described, "")
	if n.kind != isMapping {
		return nil
	}
	return d.decode(n)
}

func (d *decoder) decode(n *node) *Rule {
	r := &Rule{
		ID: d.text(n, "id"), Name: strings.TrimSpace(d.text(n, "name")), Description: d.text(n, "description"),
		Search: d.text(n, "search"), Source: d.text(n, "source"), Channel: d.text(n, "channel"), Indices: d.texts(n, "indices"),
		TimestampField: d.text(n, "timestamp_field"), TimestampFallback: d.text(n, "timestamp_fallback"),
		DedupeBy: d.texts(n, "dedupe_by"), GroupBy: d.texts(n, "group_by"), Fields: d.texts(n, "fields"), Attack: d.texts(n, "attack"), Tags: d.texts(n, "tags"),
		Owner: d.text(n, "owner"), References: d.texts(n, "references"), Runbook: d.text(n, "runbook"), Guide: d.text(n, "guide"), Noise: d.text(n, "noise"),
		MessagePer: PerRow, MaxAlerts: defaultMaxAlerts, Enabled: On,
	}
	if r.ID == "" {
		if r.ID = d.options.ID; r.ID == "" {
			r.ID = slug(r.Name)
		}
	}
	r.Every = d.duration(n, "every", defaultEvery)
	r.Window = d.duration(n, "window", r.Every)
	d.lookback(n, r)
	d.severity(n, r)
	if v := d.text(n, "message_per"); v != "" {
		r.MessagePer = MessagePer(v)
	}
	if v := d.number(n, "max_alerts"); v != nil {
		r.MaxAlerts = int(*v)
	}
	if v := n.get("enabled"); v != nil && !v.wrong {
		r.Enabled = State(v.text)
	}
	if r.TimestampFallback != "" && r.TimestampFallback == r.TimestampField {
		d.problem(n.get("timestamp_fallback").place, "timestamp_fallback is the same field as timestamp_field: name another, or delete it")
	}
	d.inSource(n, r)
	d.message(n, r)
	d.search(n, r)
	d.sameAgain(n, r)
	d.techniques(n)
	d.exceptions(n, r)
	d.schedule(n, r)
	d.tests(n, r)
	return r
}

// text is the text of a key; empty without one, or where it is wrong.
func (d *decoder) text(n *node, name string) string {
	if v := n.get(name); v != nil && !v.wrong {
		return v.text
	}
	return ""
}

func (d *decoder) texts(n *node, name string) []string {
	v := n.get(name)
	if v == nil || v.wrong {
		return nil
	}
	out := make([]string, 0, len(v.items))
	for _, item := range v.items {
		if !item.wrong {
			out = append(out, item.text)
		}
	}
	return out
}

func (d *decoder) number(n *node, name string) *float64 {
	v := n.get(name)
	if v == nil || v.wrong {
		return nil
	}
	value, err := strconv.ParseFloat(v.text, 64)
	if err != nil { // check has read it
		return nil
	}
	return &value
}

// duration is a time from leastEvery to mostWindow.
func (d *decoder) duration(n *node, name string, preset time.Duration) time.Duration {
	v := n.get(name)
	if v == nil || v.wrong {
		return preset
	}
	value, err := duration.Parse(v.text)
	switch {
	case err != nil:
		d.problem(v.place, name+" "+quoted(v.text)+" "+err.Error())
	case value < leastEvery || value > mostWindow:
		d.problem(v.place, fmt.Sprintf("%s %s must be from %s to %s", name, v.text, duration.Format(leastEvery), duration.Format(mostWindow)))
	default:
		return value
	}
	return preset
}

func (d *decoder) lookback(n *node, r *Rule) {
	r.Lookback.Auto = true
	v := n.get("lookback")
	if v == nil || v.wrong || v.text == "auto" {
		return
	}
	value, err := duration.Parse(v.text)
	if err != nil || value > mostWindow {
		d.problem(v.place, "lookback "+v.text+" is too long: the most is "+duration.Format(mostWindow))
		return
	}
	r.Lookback = Lookback{Fixed: value}
}

func (d *decoder) sameAgain(n *node, r *Rule) {
	v := n.get("same_again_after")
	if v == nil && r.Kind == query.RangeWise {
		r.SameAgainAfter = r.Window
	}
	if v == nil || v.wrong {
		return
	}
	if v.text == "off" {
		r.SameAgainOff = true
		return
	}
	value, err := duration.Parse(v.text)
	if err != nil || value > mostWindow {
		d.problem(v.place, "same_again_after "+v.text+" is too long: the most is "+duration.Format(mostWindow))
		return
	}
	r.SameAgainAfter, r.SameAgainOff = value, value == 0
}

func (d *decoder) severity(n *node, r *Rule) {
	r.Severity.Fixed = alert.SeverityMedium
	switch v := n.get("severity"); {
	case v == nil || v.wrong:
	case v.kind == isText:
		r.Severity.Fixed = alert.ParseSeverity(v.text)
	default:
		r.Severity.Field = d.text(v, "field")
		if fixed := d.text(v, "default"); fixed != "" {
			r.Severity.Fixed = alert.ParseSeverity(fixed)
		}
		if values := v.get("values"); values != nil && !values.wrong {
			r.Severity.Values = map[string]alert.Severity{}
			for _, e := range values.entries {
				r.Severity.Values[e.name] = alert.ParseSeverity(e.value.text)
			}
		}
	}
	r.Risk.Fixed = riskOf[r.Severity.Fixed]
	switch v := n.get("risk_score"); {
	case v == nil || v.wrong:
	case v.kind == isNumber:
		r.Risk.Fixed = *d.number(n, "risk_score")
	default:
		r.Risk.Field = d.text(v, "field")
		if fixed := d.number(v, "default"); fixed != nil {
			r.Risk.Fixed = *fixed
		}
	}
}

// inSource refuses a source that is not there.
func (d *decoder) inSource(n *node, r *Rule) {
	sources := d.options.Sources
	switch v := n.get("source"); {
	case sources == nil || v != nil && (v.wrong || slices.Contains(sources, r.Source)):
	case v == nil && len(sources) > 1:
		d.problem(n.place, "the rule has no source, and there are several: write \"source\", one of "+strings.Join(sources, ", "))
	case v == nil:
	default:
		said := "source " + quoted(r.Source) + " is not one of the configuration: "
		if near := nearest.Key(r.Source, sources); near != "" {
			said += "did you mean " + near + "?"
		} else {
			said += "there are " + strings.Join(append([]string{}, sources...), ", ")
		}
		if len(sources) == 0 {
			said = "source " + quoted(r.Source) + " is not one of the configuration, which has none: add it there under sources"
		}
		d.problem(v.place, said)
	}
}

// search compiles the search; what is wrong with it is placed inside its text.
func (d *decoder) search(n *node, r *Rule) {
	v := n.get("search")
	if v == nil || v.wrong {
		return
	}
	options := query.Options{Now: d.options.Now, Lookups: d.options.Lookups}
	q, err := r.Compile(options)
	if err != nil {
		options.Window, options.TimeField = r.Window, r.TimestampField
		for _, m := range query.Mistakes(r.Search, options) {
			at, said := d.told(v, "search", m)
			d.problem(at, said)
		}
		return
	}
	r.Kind, r.By = q.Kind(), q.By()
	if m, lost := q.Untold(); lost {
		at, said := d.told(v, "search", m)
		d.problem(at, said)
	}
	d.columns(n, r, q)
	d.kibana(n, r, q)
	for _, w := range q.Warnings() {
		at, said := d.told(v, "search", w)
		d.warn(at, said)
	}
}

// inside reports a mistake of a filter at its very character.
func (d *decoder) inside(v *node, name string, err error) {
	var mistake *query.Error
	if !errors.As(err, &mistake) {
		d.problem(v.place, name+": "+err.Error())
		return
	}
	at := v.place
	if mistake.Text == v.text {
		at = v.at(mistake.Start)
	}
	d.problem(at, name+": "+mistake.Message)
}

// told is what is said of a place in a query, which may be in its filter alone, and where that is.
func (d *decoder) told(v *node, name string, w query.Warning) (at Place, said string) {
	at = v.place
	if i := strings.Index(v.text, w.Text); i >= 0 && w.Text != "" {
		at = v.at(i + w.Start)
	}
	said = name + ": " + w.Message
	if w.Hint != "" {
		said += "; try " + w.Hint
	}
	return at, said
}

func (d *decoder) exceptions(n *node, r *Rule) {
	v := n.get("exceptions")
	if v == nil || v.wrong {
		return
	}
	for i, item := range v.items {
		if item.wrong {
			continue
		}
		e := Exception{Match: d.text(item, "match"), Reason: d.text(item, "reason"), Who: d.text(item, "who")}
		path := fmt.Sprintf("exceptions[%d]", i)
		if match := item.get("match"); match != nil && !match.wrong {
			filter, err := query.CompileFilter(e.Match)
			switch {
			case err != nil:
				d.inside(match, path+".match", err)
			case filter.Everything():
				d.problem(match.place, path+".match excepts every alert: write enabled: false, or name what is no alert")
			default:
				e.filter = filter
				for _, w := range filter.Warnings() {
					at, said := d.told(match, path+".match", w)
					d.warn(at, said)
				}
			}
		}
		if until := item.get("until"); until != nil && !until.wrong {
			var err error
			if e.Until, err = parseUntil(until.text); err != nil {
				d.problem(until.place, path+".until "+quoted(until.text)+" "+err.Error())
			} else if e.Expired(d.options.Now) {
				d.warn(until.place, path+" ended on "+until.text+" and excepts nothing any more: delete it")
			}
		}
		r.Exceptions = append(r.Exceptions, e)
	}
}

// parseUntil reads a day, to the end of which it is, or a time.
func parseUntil(written string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, written); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, written)
	if err != nil {
		return time.Time{}, errors.New("is not a day or a time: write 2027-01-31 or 2027-01-31T18:00:00Z")
	}
	return at.UTC(), nil
}

func (d *decoder) tests(n *node, r *Rule) {
	v := n.get("tests")
	if v == nil || v.wrong {
		return
	}
	names := map[string]bool{}
	for i, item := range v.items {
		if item.wrong {
			continue
		}
		t := Test{Name: d.text(item, "name")}
		if names[t.Name] && t.Name != "" {
			d.problem(item.get("name").place, fmt.Sprintf("tests[%d] has the name of an earlier test: choose another", i))
		}
		names[t.Name] = true
		if at := item.get("now"); at != nil && !at.wrong {
			var err error
			if t.Now, err = time.Parse(time.RFC3339, at.text); err != nil {
				d.problem(at.place, fmt.Sprintf("tests[%d].now %s is not a time: write 2024-07-01T10:30:00Z", i, quoted(at.text)))
			}
		}
		switch events := item.get("events"); {
		case events == nil || events.wrong:
		case events.kind == isText:
			t.Events = events.text
			if strings.HasPrefix(t.Events, "/") || slices.Contains(strings.Split(t.Events, "/"), "..") || strings.Contains(t.Events, `\`) {
				d.problem(events.place, fmt.Sprintf("tests[%d].events must be a file beside the rule or below it", i))
			}
		default:
			t.Documents = []byte{}
			for _, document := range events.items {
				line, err := marshal(document.plain())
				if err != nil {
					d.problem(document.place, fmt.Sprintf("tests[%d].events cannot be read: %v", i, err))
					continue
				}
				t.Documents = append(append(t.Documents, line...), '\n')
			}
		}
		if expected := item.get("alerts"); expected != nil && !expected.wrong && expected.kind == isNumber {
			t.Alerts = int(*d.number(item, "alerts"))
		} else if expected != nil && !expected.wrong {
			t.Keys = []map[string]any{}
			for _, one := range expected.items {
				fields, _ := one.plain().(map[string]any)
				t.Keys = append(t.Keys, flattened(fields))
			}
			t.Alerts = len(t.Keys)
		}
		r.Tests = append(r.Tests, t)
	}
}

// flattened gives nested fields their dotted names.
func flattened(fields map[string]any) map[string]any {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if inner, ok := fields[name].(map[string]any); ok {
			for below, value := range flattened(inner) {
				out[name+"."+below] = value
			}
			continue
		}
		out[name] = fields[name]
	}
	return out
}

// slug makes an id of a name.
func slug(name string) string {
	var out strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			out.WriteRune(r)
		case out.Len() > 0 && !strings.HasSuffix(out.String(), "-"):
			out.WriteByte('-')
		}
		if out.Len() >= 100 {
			break
		}
	}
	if made := strings.Trim(out.String(), "-"); made != "" {
		return made
	}
	return "rule"
}
