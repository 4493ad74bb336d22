package config

// WriteBack says where alerts of our own rules are written as documents of Kibana's shape.
type WriteBack struct {
	// Source is the name of a source of kind Elasticsearch or OpenSearch.
	Source string
	// Space is the end of the index's name, and the Kibana space the documents name.
	Space string
}

// writeBack reads the section; nil without it.
func (d *decoder) writeBack(root *mapping, sources []Source) *WriteBack {
	m := root.section("write_back")
	if m == nil {
		return nil
	}
	w := &WriteBack{Space: defaultSpace}
	if t, ok := m.text("source"); ok {
		w.Source = d.cluster(t, sources, "alerts are written to")
	} else if !m.has("source") {
		m.missing("source: name one of the sources, such as source: siem")
	}
	if t, ok := m.text("space"); ok {
		if spaceForm.MatchString(t.value) {
			w.Space = t.value
		} else {
			d.wrong(t, "is not the id of a Kibana space: it has lower-case letters, digits, - and _ only, as in the space's URL, /s/<id>")
		}
	}
	m.close()
	return w
}
