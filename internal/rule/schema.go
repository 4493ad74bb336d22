package rule

import "encoding/json"

// Schema is the JSON Schema (draft 2020-12) of a rule. What a schema cannot say (that a search compiles,
// that a time zone exists) only Parse knows.
func Schema() []byte {
	s := described.schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "A rule of Tocsin"
	s["description"] = "A rule is a search that runs on time; what it finds are alerts."
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("the description of rules has no JSON: " + err.Error())
	}
	return append(out, '\n')
}

// object is a JSON object of a schema; encoding/json writes its keys in order.
type object = map[string]any

func (s *shape) schema() object {
	switch s.form {
	case textForm:
		return object{"type": "string", "pattern": notBlank.String()}
	case wordForm:
		return object{"type": "string", "enum": s.words}
	case patternForm:
		return object{"type": "string", "minLength": 1, "pattern": s.pattern.String()}
	case boolForm:
		return object{"type": "boolean"}
	case integerForm:
		return object{"type": "integer", "minimum": s.least, "maximum": s.most}
	case numberForm:
		return object{"type": "number", "minimum": s.least, "maximum": s.most}
	case listForm:
		out := object{"type": "array", "items": s.of.schema()}
		if !s.repeats {
			out["uniqueItems"] = true
		}
		return out
	case sectionForm:
		keys, needed := object{}, []string{}
		for _, k := range s.keys {
			one := k.shape.schema()
			one["description"] = k.doc
			if k.preset != nil {
				one["default"] = k.preset
			}
			keys[k.name] = one
			if k.needed {
				needed = append(needed, k.name)
			}
		}
		out := object{"type": "object", "properties": keys, "additionalProperties": false}
		if len(needed) > 0 {
			out["required"] = needed
		}
		return out
	case mapForm:
		return object{"type": "object", "additionalProperties": s.of.schema()}
	case eitherForm:
		var all []object
		for _, c := range s.choices {
			all = append(all, c.schema())
		}
		return object{"oneOf": all}
	default:
		return object{}
	}
}
