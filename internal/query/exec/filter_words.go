package exec

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// eachWord splits text as Elasticsearch's standard analyzer does: at the word boundaries of Unicode
// (UAX #29), letters lower-cased. A point or an apostrophe between letters, a point or a comma between
// digits and an underscore do not end a word; each ideograph and each emoji is a word of its own.
func eachWord(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := 0; i < len(text); {
			if n := emojiEnd(text[i:]); n > 0 {
				if !yield(text[i : i+n]) {
					return
				}
				i += n
				continue
			}
			c, n := classOf(text[i:])
			if c == classOther || c == classExtend || joiner(c) {
				i += n
				continue
			}
			end := wordEnd(text, i+n, c)
			if !hasLetter(text[i:end]) { // underscores alone are no word
				i = end
				continue
			}
			if !yield(strings.ToLower(text[i:end])) {
				return
			}
			i = end
		}
	}
}

func words(text string) []string {
	var w []string
	for s := range eachWord(text) {
		w = append(w, s)
	}
	return w
}

func hasWord(text string, wanted []string) bool {
	if len(wanted) == 0 {
		return false
	}
	for w := range eachWord(text) {
		for _, a := range wanted {
			if w == a {
				return true
			}
		}
	}
	return false
}

// hasPhrase reports whether the words stand in text one after the other.
func hasPhrase(text string, phrase []string) bool {
	if len(phrase) < 2 {
		return hasWord(text, phrase)
	}
	all := words(text)
	for i := 0; i+len(phrase) <= len(all); i++ {
		k := 0
		for k < len(phrase) && all[i+k] == phrase[k] {
			k++
		}
		if k == len(phrase) {
			return true
		}
	}
	return false
}

type charClass uint8

const (
	classOther charClass = iota
	classLetter
	classHebrew // a letter that a quotation mark belongs to
	classDigit
	classKatakana
	classSingle    // an ideograph or Hiragana: a word of its own
	classComplex   // scripts without spaces between words, such as Thai: a run is one word
	classUnderline // joins letters, digits and Katakana
	classMidLetter // : · ‧ between letters
	classMidNum    // , ; between digits
	classMidBoth   // . ' ’ between letters or digits
	classExtend    // marks, which belong to what is before them
)

func joiner(c charClass) bool {
	return c == classMidLetter || c == classMidNum || c == classMidBoth
}

func classOf(s string) (charClass, int) {
	c := s[0]
	if c < utf8.RuneSelf {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			return classLetter, 1
		case c >= '0' && c <= '9':
			return classDigit, 1
		case c == '_':
			return classUnderline, 1
		case c == '.' || c == '\'':
			return classMidBoth, 1
		case c == ',' || c == ';':
			return classMidNum, 1
		case c == ':':
			return classMidLetter, 1
		}
		return classOther, 1
	}
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && n == 1:
		return classOther, 1
	case unicode.In(r, unicode.Han, unicode.Hiragana) && unicode.IsLetter(r):
		return classSingle, n
	case unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tai_Le, unicode.New_Tai_Lue, unicode.Tai_Tham, unicode.Tai_Viet) && !unicode.Is(unicode.Nd, r):
		return classComplex, n
	case unicode.Is(unicode.Katakana, r), r == 0x30FC, r == 0xFF70:
		return classKatakana, n
	case unicode.Is(unicode.Hebrew, r) && unicode.IsLetter(r):
		return classHebrew, n
	case unicode.IsLetter(r), unicode.Is(unicode.Nl, r), unicode.Is(unicode.Other_Alphabetic, r):
		return classLetter, n
	case unicode.Is(unicode.Nd, r):
		return classDigit, n
	case unicode.Is(unicode.Pc, r) || r == 0x202F:
		return classUnderline, n
	case r == 0x2018 || r == 0x2019 || r == 0x2024 || r == 0xFE52 || r == 0xFF07 || r == 0xFF0E:
		return classMidBoth, n
	case r == 0xB7 || r == 0x387 || r == 0x5F4 || r == 0x2027 || r == 0xFE13 || r == 0xFE55 || r == 0xFF1A:
		return classMidLetter, n
	case unicode.In(r, unicode.M, unicode.Cf):
		return classExtend, n
	}
	return classOther, n
}

// wordEnd is where the word ends that has begun before i with a character of class c.
func wordEnd(text string, i int, c charClass) int {
	for i < len(text) {
		next, n := classOf(text[i:])
		switch {
		case next == classExtend:
			i += n
			continue
		case c == classSingle:
			return i
		case c == classHebrew && text[i] == '\'' && !letter(after(text, i+n)):
			return i + n
		case joiner(next) || c == classHebrew && text[i] == '"':
			k := skipMarks(text, i+n)
			then, m := classOther, 0
			if k < len(text) {
				then, m = classOf(text[k:])
			}
			if !bridges(c, next, then) {
				return i
			}
			i, c = k+m, then
			continue
		case !together(c, next):
			return i
		}
		i, c = i+n, next
	}
	return i
}

func letter(c charClass) bool { return c == classLetter || c == classHebrew }

// skipMarks is the first place at or behind i where no mark is.
func skipMarks(text string, i int) int {
	for i < len(text) {
		c, n := classOf(text[i:])
		if c != classExtend {
			break
		}
		i += n
	}
	return i
}

// after is the class of the first character at or behind i that is no mark.
func after(text string, i int) charClass {
	if i = skipMarks(text, i); i == len(text) {
		return classOther
	}
	c, _ := classOf(text[i:])
	return c
}

// bridges reports whether the joiner between a and b keeps them in one word. A quotation mark, which
// is no joiner, is asked about only behind a Hebrew letter.
func bridges(a, joiner, b charClass) bool {
	switch joiner {
	case classMidLetter:
		return letter(a) && letter(b)
	case classMidNum:
		return a == classDigit && b == classDigit
	case classMidBoth:
		return letter(a) && letter(b) || a == classDigit && b == classDigit
	}
	return b == classHebrew
}

func together(a, b charClass) bool {
	switch a {
	case classLetter, classHebrew, classDigit:
		return letter(b) || b == classDigit || b == classUnderline
	case classKatakana:
		return b == classKatakana || b == classUnderline
	case classComplex:
		return b == classComplex
	case classUnderline:
		return letter(b) || b == classDigit || b == classKatakana || b == classUnderline
	}
	return false
}

func hasLetter(word string) bool {
	for i := 0; i < len(word); {
		c, n := classOf(word[i:])
		switch c {
		case classLetter, classHebrew, classDigit, classKatakana, classSingle, classComplex:
			return true
		}
		i += n
	}
	return false
}
