package exec

// Keys are a field and its values of which a document must have one for the filter to match: what an index
// of many filters asks first. It holds for documents without types whose values are text or booleans; ok is
// false where the filter says nothing so plain. Numbers, times and addresses can be spelt in several ways, and
// text is matched by words, so they are no keys.
func (f *Filter) Keys() (field string, values []string, ok bool) {
	if f.types != nil {
		return "", nil, false
	}
	return keys(f.root)
}

func keys(m matcher) (field string, values []string, ok bool) {
	switch m := m.(type) {
	case *fieldTest:
		if plainKey(m.name, m.test) {
			return m.name, []string{m.test.text}, true
		}
	case *listTest:
		for _, t := range m.tests {
			if !plainKey(m.name, t) {
				return "", nil, false
			}
			values = append(values, t.text)
		}
		return m.name, values, len(values) > 0
	case anyOf:
		for _, part := range m {
			name, of, ok := keys(part)
			if !ok || field != "" && name != field {
				return "", nil, false
			}
			field, values = name, append(values, of...)
		}
		return field, values, field != ""
	case allOf:
		for _, part := range m {
			if name, of, ok := keys(part); ok && (field == "" || len(of) < len(values)) {
				field, values = name, of
			}
		}
		return field, values, field != ""
	}
	return "", nil, false
}

func plainKey(name string, t *valueTest) bool {
	if _, _, multi := multiField(name); multi || textName(name) {
		return false
	}
	return t.kind == testIs && t.text != "" && !t.isNumber && !t.isAddr && !t.isNet && !t.date.ok
}
