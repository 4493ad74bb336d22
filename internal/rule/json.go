package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tocsin/internal/yamltext"
)

// json turns a text into the one JSON value it must be; nil after a problem.
func (r *reader) json(content string) *node {
	j := jsonReader{reader: r, content: content, decoder: json.NewDecoder(strings.NewReader(content))}
	j.decoder.UseNumber()
	n, err := j.read(0)
	if err == nil {
		if _, err = j.decoder.Token(); errors.Is(err, io.EOF) {
			return n
		}
		if err == nil {
			err = errors.New("something follows the value")
		}
	}
	at := j.decoder.InputOffset()
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		at = max(syntax.Offset-1, 0)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		at, err = int64(len(content)), errors.New("it ends too early")
	}
	r.problem(j.place(at), fmt.Sprintf("is not valid JSON: %v", err))
	return nil
}

// jsonReader reads a text token by token, to know where each stands.
type jsonReader struct {
	*reader
	content string
	decoder *json.Decoder
}

// token gives the next token and where it begins.
func (j *jsonReader) token() (json.Token, int64, error) {
	start := j.decoder.InputOffset()
	t, err := j.decoder.Token()
	for start < int64(len(j.content)) && strings.IndexByte(" \t\r\n,:", j.content[start]) >= 0 {
		start++
	}
	return t, start, err
}

func (j *jsonReader) place(offset int64) Place {
	before := j.content[:min(max(offset, 0), int64(len(j.content)))]
	return j.source.At(strings.Count(before, "\n")+1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])+1)
}

var errTooDeep = errors.New("the values are nested too deep")

func (j *jsonReader) read(depth int) (*node, error) {
	t, start, err := j.token()
	if err != nil {
		return nil, err
	}
	if depth > yamltext.MostDepth {
		return nil, errTooDeep
	}
	n := &node{place: j.place(start)}
	switch v := t.(type) {
	case string:
		n.kind, n.text = isText, v
		n.inside = j.source.Scalar(v, n.place.Line, n.place.Column, yamltext.DoubleQuoted, n.place)
	case json.Number:
		n.kind, n.text = isNumber, v.String()
		if f, err := v.Float64(); err == nil && strings.ContainsAny(n.text, ".eE") {
			n.text = strconv.FormatFloat(f, 'g', -1, 64)
		}
	case bool:
		n.kind, n.text = isBool, fmt.Sprint(v)
	case json.Delim:
		if v == '[' {
			n.kind = isList
			err = j.items(n, depth)
		} else {
			n.kind = isMapping
			err = j.entries(n, depth)
		}
		if err == nil {
			_, err = j.decoder.Token() // the closing bracket
		}
	}
	return n, err
}

func (j *jsonReader) items(n *node, depth int) error {
	for j.decoder.More() {
		item, err := j.read(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	return nil
}

func (j *jsonReader) entries(n *node, depth int) error {
	for j.decoder.More() {
		t, start, err := j.token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return errors.New("a key must be text")
		}
		e := entry{name: name, place: j.place(start)}
		if e.value, err = j.read(depth + 1); err != nil {
			return err
		}
		if i := slices.IndexFunc(n.entries, func(have entry) bool { return have.name == name }); i >= 0 {
			j.twice(e.place, name, n.entries[i].place)
			continue
		}
		n.entries = append(n.entries, e)
	}
	return nil
}

// marshal writes JSON without escaping < > &, which stand in searches.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
