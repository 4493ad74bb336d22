package elastic

import (
	"encoding/json"
	"errors"
	"strconv"

	"tocsin/internal/jsonscan"
)

// errOther says that an answer is not of the usual kind.
var errOther = errors.New("the answer is not of the usual kind")

// answerReader reads the answer of a search in one pass: documents are most of it, and encoding/json would
// look at every byte of them three times. They stay parts of the text.
type answerReader struct {
	text  []byte
	a     *answer
	rest  []byte // the answer without its hits
	index []byte // that of the hit before, with its quotes: mostly they have the same
	name  string // what it says
}

// readAnswer reads what encoding/json would. An error says only that this has to be left to encoding/json,
// and leaves a half filled.
func readAnswer(text []byte, a *answer) error {
	r := &answerReader{text: text, a: a, rest: append(make([]byte, 0, 1024), '{')}
	i := jsonscan.Space(text, 0)
	if i >= len(text) || text[i] != '{' {
		return errOther
	}
	end, err := jsonscan.Members(text, i, 0, r.member)
	if err != nil {
		return err
	}
	if jsonscan.Space(text, end) != len(text) {
		return errOther
	}
	return json.Unmarshal(append(r.rest, '}'), a)
}

func (r *answerReader) at(i int, begins byte) bool { return i < len(r.text) && r.text[i] == begins }

// usual reports whether a key is one that clusters write: encoding/json would take other cases for the same.
func usual(key []byte) bool {
	for _, c := range key[1 : len(key)-1] {
		if c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func (r *answerReader) member(key []byte, i, depth int) (int, error) {
	if !usual(key) {
		return i, errOther
	}
	if string(key) == `"hits"` {
		if !r.at(i, '{') {
			return i, errOther
		}
		return jsonscan.Members(r.text, i, depth, r.ofHits)
	}
	end, err := jsonscan.Value(r.text, i, depth)
	if err == nil {
		if len(r.rest) > 1 {
			r.rest = append(r.rest, ',')
		}
		r.rest = append(append(append(r.rest, key...), ':'), r.text[i:end]...)
	}
	return end, err
}

func (r *answerReader) ofHits(key []byte, i, depth int) (int, error) {
	if !usual(key) {
		return i, errOther
	}
	if string(key) == `"hits"` {
		if !r.at(i, '[') || r.a.Hits.Hits != nil {
			return i, errOther
		}
		r.a.Hits.Hits = []Hit{}
		return jsonscan.Elements(r.text, i, depth, r.hit)
	}
	end, err := jsonscan.Value(r.text, i, depth)
	if err == nil && string(key) == `"total"` {
		r.a.Hits.Total = r.text[i:end:end]
	}
	return end, err
}

func (r *answerReader) hit(i, depth int) (int, error) {
	if !r.at(i, '{') {
		return i, errOther
	}
	var h Hit
	end, err := jsonscan.Members(r.text, i, depth, func(key []byte, i, depth int) (int, error) {
		end, err := jsonscan.Value(r.text, i, depth)
		if err == nil {
			err = r.ofHit(&h, key, r.text[i:end:end])
		}
		return end, err
	})
	r.a.Hits.Hits = append(r.a.Hits.Hits, h)
	return end, err
}

func (r *answerReader) ofHit(h *Hit, key, value []byte) (err error) {
	switch string(key) {
	case `"_index"`:
		if r.index != nil && string(r.index) == string(value) {
			h.Index = r.name
			return nil
		}
		if h.Index, err = word(value); err == nil {
			r.index, r.name = value, h.Index
		}
	case `"_id"`:
		h.ID, err = word(value)
	case `"_version"`:
		h.Version, err = strconv.ParseInt(string(value), 10, 64)
	case `"_seq_no"`:
		h.SeqNo, err = integer(value)
	case `"_primary_term"`:
		h.PrimaryTerm, err = integer(value)
	case `"_source"`:
		h.Source = value
	case `"fields"`:
		h.Fields = value
	case `"sort"`:
		h.Sort, err = list(value)
	default:
		if !usual(key) {
			err = errOther
		}
	}
	return err
}

func word(value []byte) (string, error) {
	if value[0] != '"' {
		return "", errOther
	}
	return jsonscan.Unquote(value), nil
}

func integer(value []byte) (*int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	return &n, err
}

// list copies the elements of an array: whoever keeps hits without their documents need not keep the text.
func list(value []byte) ([]json.RawMessage, error) {
	if value[0] != '[' {
		return nil, errOther
	}
	value = append([]byte(nil), value...)
	out := make([]json.RawMessage, 0, 2)
	_, err := jsonscan.Elements(value, 0, 0, func(i, depth int) (int, error) {
		end, err := jsonscan.Value(value, i, depth)
		if err == nil {
			out = append(out, value[i:end:end])
		}
		return end, err
	})
	return out, err
}
