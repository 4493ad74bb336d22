package config

import (
	"fmt"
	"strings"
	"time"

	"tocsin/internal/duration"
	"tocsin/internal/nearest"
)

// duration reads a key that must be a duration of at least least.
func (m *mapping) duration(name string, fallback, least time.Duration) time.Duration {
	t, ok := m.word(name)
	if !ok {
		return fallback
	}
	v, err := duration.Parse(t.value)
	switch {
	case err != nil:
		m.d.wrong(t, err.Error())
	case v < least && v <= 0:
		m.d.wrong(t, "must be longer than zero")
	case v < least:
		m.d.wrong(t, fmt.Sprintf("is too short: the least is %s", duration.Format(least)))
	default:
		return v
	}
	return fallback
}

// rate reads a key that must be a rate.
func (m *mapping) rate(name string, fallback Rate) Rate {
	t, ok := m.word(name)
	if !ok {
		return fallback
	}
	r, err := ParseRate(t.value)
	if err != nil {
		m.d.wrong(t, err.Error())
		return fallback
	}
	return r
}

// detections reads the detections; sources are those that could be read.
func (d *decoder) detections(root *mapping, sources []Source) []Detection {
	items, _ := root.list("detections")
	var detections []Detection
	names, spaces := map[string]int{}, map[string]int{}
	for _, it := range items {
		m := d.mapping(it.node, it.key, it.place)
		v := d.detection(m, sources)
		if v.Source != "" {
			if line, again := spaces[v.Source+"/"+v.Space]; again {
				d.problem(m.place, fmt.Sprintf("%s reads space %s of source %s, as the one on line %d does: delete one", m.key, v.Space, v.Source, line))
				continue
			}
			spaces[v.Source+"/"+v.Space] = m.place.Line
		}
		if v.Name != "" {
			if line, again := names[v.Name]; again {
				d.problem(m.placeOf("name"), fmt.Sprintf("%s.name %q is the name of the detections on line %d too: give each its own", m.key, v.Name, line))
				continue
			}
			names[v.Name] = m.place.Line
		}
		detections = append(detections, v)
	}
	return detections
}

func (d *decoder) detection(m *mapping, sources []Source) Detection {
	v := Detection{Space: defaultSpace, Since: Since{Back: defaultSince}}
	if t, ok := m.text("source"); ok {
		v.Source = d.cluster(t, sources, "Kibana's detections are in")
	} else if !m.has("source") {
		m.missing("source: name one of the sources, such as source: siem")
	}
	if t, ok := m.text("space"); ok {
		if spaceForm.MatchString(t.value) {
			v.Space = t.value
		} else {
			d.wrong(t, "is not the id of a Kibana space: it has lower-case letters, digits, - and _ only, as in the space's URL, /s/<id>")
			v.Source = "" // a wrong space is no double of another
		}
	}
	if t, ok := m.text("name"); ok {
		if nameForm.MatchString(strings.ReplaceAll(t.value, "/", "-")) {
			v.Name = t.value
		} else {
			d.wrong(t, nameRule)
		}
	} else if v.Source != "" {
		v.Name = v.Source + "/" + v.Space
	}
	v.Poll = m.duration("poll", defaultPoll, leastPoll)
	v.Overlap = m.duration("overlap", defaultOverlap, 1)
	v.Sweep = m.duration("sweep", defaultSweep, 1)
	if t, ok := m.word("since"); ok {
		v.Since = d.since(t)
	}
	if u, _, ok := m.url("kibana_url", "https", "http"); ok {
		v.KibanaURL = u
	}
	v.Match = m.filter("match")
	m.close()
	return v
}

// cluster checks that t names a cluster; it is empty after a problem. held says what is there.
func (d *decoder) cluster(t text, sources []Source, held string) string {
	if d.noSources {
		return ""
	}
	names := make([]string, 0, len(sources))
	for _, s := range sources {
		if s.Name == t.value {
			if s.Kind == Embedded {
				d.wrong(t, "is an embedded source: "+held+" a source of kind elasticsearch or opensearch")
				return ""
			}
			return s.Name
		}
		if s.Name != "" && s.Kind != Embedded {
			names = append(names, s.Name)
		}
	}
	said := "is not the name of a source: "
	if near := nearest.Key(t.value, names); near != "" && !t.expanded() {
		said += fmt.Sprintf("did you mean %q?", near)
	} else if len(names) > 0 {
		said += "there are " + strings.Join(names, ", ")
	} else {
		said += "write it under sources first"
	}
	d.wrong(t, said)
	return ""
}

// since reads how far back the first start reads.
func (d *decoder) since(t text) Since {
	switch t.value {
	case "all":
		return Since{All: true}
	case "now":
		return Since{}
	}
	v, err := duration.Parse(t.value)
	switch {
	case err != nil:
		d.wrong(t, err.Error()+"; or now, or all")
	case v == 0:
		d.wrong(t, "must be longer than zero: write now to take in nothing older")
	default:
		return Since{Back: v}
	}
	return Since{Back: defaultSince}
}
