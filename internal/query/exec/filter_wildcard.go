package exec

import (
	"strings"

	"tocsin/internal/query/kql"
)

// wildcard is texts with anything between them: the first begins what it matches and the last ends it.
type wildcard []string

func newWildcard(parts []string) wildcard { return wildcard(parts) }

// match takes the first place for each inner part, which is enough; the time is linear in the length
// of s for each part.
func (w wildcard) match(s string) bool {
	if len(w) == 1 {
		return s == w[0]
	}
	rest, ok := strings.CutPrefix(s, w[0])
	if !ok {
		return false
	}
	last := w[len(w)-1]
	if rest, ok = strings.CutSuffix(rest, last); !ok {
		return false
	}
	for _, part := range w[1 : len(w)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return true
}

// chunk is a part of a wildcard between spaces, as it is looked for in text: words, any of which is
// enough, or a wildcard for a word.
type chunk struct {
	words []string
	wild  wildcard
}

func newChunks(w *kql.Wildcard) []chunk {
	var chunks []chunk
	for _, part := range strings.FieldsFunc(w.Value, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == 0x3000
	}) {
		if !strings.Contains(part, kql.WildcardMark) {
			chunks = append(chunks, chunk{words: words(part)})
			continue
		}
		parts := strings.Split(part, kql.WildcardMark)
		for i, p := range parts {
			parts[i] = strings.ToLower(p)
		}
		chunks = append(chunks, chunk{wild: parts})
	}
	return chunks
}

// likeWords reports whether text matches one of the chunks.
func likeWords(text string, chunks []chunk) bool {
	for _, c := range chunks {
		switch {
		case c.wild == nil:
			if hasWord(text, c.words) {
				return true
			}
		case c.any():
			return true
		default:
			for word := range eachWord(text) {
				if c.wild.match(word) {
					return true
				}
			}
		}
	}
	return false
}

// any reports whether the chunk is a lone star, which asks only for a value.
func (c chunk) any() bool { return len(c.wild) == 2 && c.wild[0] == "" && c.wild[1] == "" }
