package kibana

import (
	"bytes"
	"errors"

	"tocsin/internal/jsonscan"
)

var errNoObject = errors.New("the document is not a JSON object")

// walk is one pass over a document: it finds the captured values, whatever their keys are split
// into, and copies what is not dropped. It is reused for many documents and not safe for
// concurrent use.
type walk struct {
	b    []byte
	got  [slots][]byte // raw values, null left out; the first of several
	path []byte
	out  []byte
	mute int // above zero inside a dropped part
}

func (w *walk) document(b []byte) error {
	w.b, w.path, w.out, w.mute = b, w.path[:0], w.out[:0], 0
	clear(w.got[:])
	i := jsonscan.Space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return errNoObject
	}
	end, err := w.object(i, 0)
	if err != nil {
		return err
	}
	if rest := jsonscan.Space(b, end); rest != len(b) {
		return jsonscan.SyntaxError(rest)
	}
	return nil
}

func (w *walk) write(part []byte) {
	if w.mute == 0 {
		w.out = append(w.out, part...)
	}
}

func (w *walk) writeByte(c byte) {
	if w.mute == 0 {
		w.out = append(w.out, c)
	}
}

func (w *walk) object(i, depth int) (int, error) {
	if depth++; depth > jsonscan.MaxDepth {
		return i, jsonscan.SyntaxError(i)
	}
	b := w.b
	w.writeByte('{')
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == '}' {
		w.writeByte('}')
		return i + 1, nil
	}
	for first := true; ; {
		key, at, err := jsonscan.Key(b, i)
		if err != nil {
			return at, err
		}
		mark := len(w.path)
		if mark > 0 {
			w.path = append(w.path, '.')
		}
		if bytes.IndexByte(key, '\\') < 0 {
			w.path = append(w.path, key[1:len(key)-1]...)
		} else {
			w.path = append(w.path, jsonscan.Unquote(key)...)
		}
		p := w.place(mark)
		if p.drop {
			w.mute++
		} else {
			if !first {
				w.writeByte(',')
			}
			first = false
			w.write(key)
			w.writeByte(':')
		}
		end, err := w.value(at, depth, p)
		if err != nil {
			return end, err
		}
		if p.drop {
			w.mute--
		}
		w.path = w.path[:mark]
		if i = jsonscan.Space(b, end); i >= len(b) {
			return i, jsonscan.SyntaxError(i)
		}
		switch b[i] {
		case '}':
			w.writeByte('}')
			return i + 1, nil
		case ',':
			i = jsonscan.Space(b, i+1)
		default:
			return i, jsonscan.SyntaxError(i)
		}
	}
}

// place is what is done at the path, of which the bytes from mark on are the last key.
func (w *walk) place(mark int) place {
	p, known := places[string(w.path)]
	for i := mark + 1; !known && i < len(w.path); i++ {
		if w.path[i] == '.' && places[string(w.path[:i])].drop {
			return place{drop: true}
		}
	}
	return p
}

// value reads the value at i and keeps it when its place asks for it. Arrays of objects are walked
// like the search engine indexes them: each element at the same path.
func (w *walk) value(i, depth int, p place) (int, error) {
	b := w.b
	var end int
	var err error
	switch {
	case p.descend && i < len(b) && b[i] == '{':
		end, err = w.object(i, depth)
	case p.descend && i < len(b) && b[i] == '[':
		w.writeByte('[')
		first := true
		end, err = jsonscan.Elements(b, i, depth, func(i, depth int) (int, error) {
			if !first {
				w.writeByte(',')
			}
			first = false
			return w.value(i, depth, place{descend: true})
		})
		w.writeByte(']')
	default:
		if end, err = jsonscan.Value(b, i, depth); err == nil {
			w.write(b[i:end])
		}
	}
	if err == nil && p.slot != none && w.got[p.slot] == nil && b[i] != 'n' {
		w.got[p.slot] = b[i:end]
	}
	return end, err
}

// text is the first of the slots that holds a scalar, or an array with one, as text.
func (w *walk) text(of ...slot) string {
	for _, s := range of {
		raw := w.got[s]
		if raw == nil {
			continue
		}
		switch raw[0] {
		case '"':
			if t := jsonscan.Unquote(raw); t != "" {
				return t
			}
		case '[', '{':
			if all := texts(decode(raw)); len(all) > 0 {
				return all[0]
			}
		default:
			return string(raw)
		}
	}
	return ""
}

// texts are the scalars of the first of the slots that holds any.
func (w *walk) texts(of ...slot) []string {
	for _, s := range of {
		if raw := w.got[s]; raw != nil {
			if all := texts(decode(raw)); len(all) > 0 {
				return all
			}
		}
	}
	return nil
}

// objects are the objects of the first of the slots that holds any.
func (w *walk) objects(of ...slot) []object {
	for _, s := range of {
		if raw := w.got[s]; raw != nil && raw[0] != '"' {
			if all := objects(decode(raw)); len(all) > 0 {
				return all
			}
		}
	}
	return nil
}
