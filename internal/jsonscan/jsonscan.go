// Package jsonscan owns finding where the values of a JSON text begin and end. It decodes nothing but
// strings, copies nothing, and accepts exactly what encoding/json accepts, in one pass over the text.
package jsonscan

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest, the same as in encoding/json.
const MaxDepth = 10_000

// ErrSyntax is wrapped with the place where a text stops being JSON.
var ErrSyntax = errors.New("not valid JSON")

// SyntaxError says that the text stops being JSON at byte i.
func SyntaxError(i int) error { return fmt.Errorf("%w at byte %d", ErrSyntax, i) }

// Space returns the first place from i on that is no white space.
func Space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// Value returns where the value that begins at i ends. depth is how many arrays and objects it stands in.
func Value(b []byte, i, depth int) (int, error) {
	if i >= len(b) {
		return i, SyntaxError(i)
	}
	switch c := b[i]; {
	case c == '"':
		return String(b, i)
	case c == '{':
		return skipObject(b, i, depth)
	case c == '[':
		return skipArray(b, i, depth)
	case c == '-' || c >= '0' && c <= '9':
		return skipNumber(b, i)
	case c == 't':
		return skipWord(b, i, "true")
	case c == 'f':
		return skipWord(b, i, "false")
	case c == 'n':
		return skipWord(b, i, "null")
	}
	return i, SyntaxError(i)
}

func skipWord(b []byte, i int, word string) (int, error) {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return i, SyntaxError(i)
	}
	return i + len(word), nil
}

// plain marks the bytes of a string that end nothing and escape nothing.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// String returns where the string that begins at i, with its quote, ends.
func String(b []byte, i int) (int, error) {
	i++
	for i < len(b) {
		if plain[b[i]] {
			i++
			continue
		}
		switch b[i] {
		case '"':
			return i + 1, nil
		case '\\':
			if i+1 >= len(b) {
				return i, SyntaxError(i)
			}
			switch b[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if len(b)-i < 6 {
					return i, SyntaxError(i)
				}
				for _, c := range b[i+2 : i+6] {
					if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
						return i, SyntaxError(i)
					}
				}
				i += 6
			default:
				return i, SyntaxError(i)
			}
		default:
			return i, SyntaxError(i)
		}
	}
	return i, SyntaxError(i)
}

func skipNumber(b []byte, i int) (int, error) {
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return i, SyntaxError(i)
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return i, SyntaxError(i)
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return i, SyntaxError(i)
		}
	}
	return i, nil
}

func skipArray(b []byte, i, depth int) (int, error) {
	return Elements(b, i, depth, func(i, depth int) (int, error) { return Value(b, i, depth) })
}

// Elements calls value with the start of each element of the array that begins at i, which it does not
// check; value returns where the element ends. Elements returns where the array does.
func Elements(b []byte, i, depth int, value func(i, depth int) (int, error)) (int, error) {
	if depth++; depth > MaxDepth {
		return i, SyntaxError(i)
	}
	if i = Space(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := value(i, depth)
		if err != nil {
			return end, err
		}
		if i = Space(b, end); i >= len(b) {
			return i, SyntaxError(i)
		}
		switch b[i] {
		case ']':
			return i + 1, nil
		case ',':
			i = Space(b, i+1)
		default:
			return i, SyntaxError(i)
		}
	}
}

func skipObject(b []byte, i, depth int) (int, error) {
	return Members(b, i, depth, func(_ []byte, i, depth int) (int, error) { return Value(b, i, depth) })
}

// Members calls value with each key, quotes included, of the object that begins at i, which it does not
// check, and the start of the key's value; value returns where that ends. Members returns where the object does.
func Members(b []byte, i, depth int, value func(key []byte, i, depth int) (int, error)) (int, error) {
	if depth++; depth > MaxDepth {
		return i, SyntaxError(i)
	}
	if i = Space(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		key, at, err := Key(b, i)
		if err != nil {
			return at, err
		}
		end, err := value(key, at, depth)
		if err != nil {
			return end, err
		}
		if i = Space(b, end); i >= len(b) {
			return i, SyntaxError(i)
		}
		switch b[i] {
		case '}':
			return i + 1, nil
		case ',':
			i = Space(b, i+1)
		default:
			return i, SyntaxError(i)
		}
	}
}

// Object calls member with each key, unquoted, and value of a text that is one object, in order. The
// slices are parts of the text. Its error is member's, or wraps ErrSyntax.
func Object(b []byte, member func(key string, value []byte) error) error {
	i := Space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return SyntaxError(i)
	}
	end, err := Members(b, i, 0, func(key []byte, i, depth int) (int, error) {
		end, err := Value(b, i, depth)
		if err == nil {
			err = member(Unquote(key), b[i:end])
		}
		return end, err
	})
	if err != nil {
		return err
	}
	if rest := Space(b, end); rest != len(b) {
		return SyntaxError(rest)
	}
	return nil
}

// Key reads the key that begins at i, quotes included, and finds where its value begins.
func Key(b []byte, i int) (key []byte, at int, err error) {
	if i >= len(b) || b[i] != '"' {
		return nil, i, SyntaxError(i)
	}
	end, err := String(b, i)
	if err != nil {
		return nil, end, err
	}
	key = b[i:end]
	if i = Space(b, end); i >= len(b) || b[i] != ':' {
		return nil, i, SyntaxError(i)
	}
	return key, Space(b, i+1), nil
}

// Unquote reads a string that String has accepted, quotes included.
func Unquote(raw []byte) string {
	body := raw[1 : len(raw)-1]
	for _, c := range body {
		if c == '\\' || c >= utf8.RuneSelf {
			var s string
			// String has accepted it, so it is a string.
			_ = json.Unmarshal(raw, &s)
			return s
		}
	}
	return string(body)
}
