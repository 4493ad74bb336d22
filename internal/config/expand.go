package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expandProblem is what is wrong with a variable; at is the rune of the written text where it begins.
type expandProblem struct {
	at   int
	said string
}

// expand fills in ${VAR}. $${ is a literal ${; any other $ is itself. What a variable holds is not
// looked into again. from gives, for each byte of the value and for its end, the rune of the
// written text it came from.
func expand(written string, env func(string) (string, bool)) (value string, from []int, wrong []expandProblem) {
	var out strings.Builder
	runes := 0
	for rest := written; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "$${"):
			out.WriteString("${")
			from = append(from, runes, runes+2)
			rest, runes = rest[3:], runes+3
		case strings.HasPrefix(rest, "${"):
			name, after, closed := strings.Cut(rest[2:], "}")
			if !closed {
				return "", nil, append(wrong, expandProblem{runes, "${ is not closed: write ${VAR}, or $${ for a literal ${"})
			}
			held, found := "", false
			if !variableName.MatchString(name) {
				wrong = append(wrong, expandProblem{runes, "what is inside ${ } is not the name of a variable: write ${VAR}, or $${ for a literal ${"})
			} else if held, found = env(name); !found {
				wrong = append(wrong, expandProblem{runes, fmt.Sprintf("the environment variable %s is not set: set it, or write $${ for a literal ${", name)})
			}
			out.WriteString(held)
			for range len(held) {
				from = append(from, runes)
			}
			rest, runes = after, runes+utf8.RuneCountInString(name)+3
		default:
			_, size := utf8.DecodeRuneInString(rest)
			out.WriteString(rest[:size])
			for range size {
				from = append(from, runes)
			}
			rest, runes = rest[size:], runes+1
		}
	}
	return out.String(), append(from, runes), wrong
}
