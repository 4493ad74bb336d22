package query_test

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/internal/query"
)

// TestCompleteFitsThePlace has the place as ^ in the text.
func TestCompleteFitsThePlace(t *testing.T) {
	for text, want := range map[string]string{
		`^`:                                        `fields "" not`,
		`user.n^`:                                  `fields "user.n" not`,
		`user.name:^`:                              `value of user.name ""`,
		`user.name : al^`:                          `value of user.name "al"`,
		`user.name:"al^`:                           `value of user.name "al" quoted`,
		`user.name:al ^`:                           `"" and or`,
		`user.name:al a^`:                          `"a" and or`,
		`user.name:al and ^`:                       `fields "" not`,
		`user.name:al and not eve^`:                `fields "eve" not`,
		`user.name:(al or ^`:                       `value of user.name ""`,
		`user.name:(al or bob) or h^`:              `fields "h" not`,
		`(a:b) and source.ip >= ^`:                 `value of source.ip ""`,
		`user.name ^`:                              `"" : > >= < <= and or`,
		`a:b | ^`:                                  `commands aggregates ""`,
		`a:b | co^`:                                `commands aggregates "co"`,
		`a:b | count ^`:                            `"" by over as`,
		`a:b | count by ^`:                         `fields groups ""`,
		`a:b | count by user.n^`:                   `fields groups "user.n"`,
		`a:b | count by user.name, h^`:             `fields groups "h"`,
		`a:b | count by user.name ^`:               `"" over`,
		`a:b | count by user.name over ^`:          `"" 1m 5m 15m 1h 24h 7d`,
		`a:b | stats ^`:                            `aggregates ""`,
		`a:b | stats count, s^`:                    `aggregates "s"`,
		`a:b | stats sum(by^`:                      `fields "by"`,
		`a:b | count by user.name | search ^`:      `fields closed "" not: user.name count`,
		`a:b | count by user.name | search co^`:    `fields closed "co" not: user.name count`,
		`a:b | count by user.name | search count^`: `fields closed "count" not: user.name count`,
		`a:b | count by user.name | sort ^`:        `fields closed "": user.name count`,
		`a:b | where ^`:                            `fields functions "" and or not like in`,
		`a:b | table user.name, ^`:                 `fields ""`,
		`a:b and [from x user.n^`:                  `fields "user.n" not`,
		`a:b and [from x c:d | co^`:                `commands aggregates "co"`,
		`a:"x | y" | fi^`:                          `commands aggregates "fi"`,
		`from logs-* user.n^`:                      `fields "user.n" not`,
		`message:"ä" and us^`:                      `fields "us" not`,
	} {
		at := strings.Index(text, "^")
		text := text[:at] + text[at+1:]
		s := query.Complete(text, at, query.Options{})
		var got []string
		add := func(is bool, word string) {
			if is {
				got = append(got, word)
			}
		}
		add(s.Commands, "commands")
		add(s.Field != "", "value of "+s.Field)
		add(s.Fields, "fields")
		add(s.Groups, "groups")
		add(s.Closed && s.Fields, "closed")
		add(s.Functions, "functions")
		add(s.Aggregates, "aggregates")
		got = append(got, fmt.Sprintf("%q", s.Word))
		add(s.Quoted, "quoted")
		got = append(got, s.Words...)
		line := strings.Join(got, " ")
		if s.Closed && s.Fields {
			line += ": " + strings.Join(s.Columns, " ")
		}
		if line != want {
			t.Errorf("%s: %s, want %s", text, line, want)
		}
		if s.Start > at || s.End < at || !strings.HasSuffix(text[s.Start:at], s.Word) {
			t.Errorf("%s: the word %q is not at %d..%d", text, s.Word, s.Start, s.End)
		}
	}
}

func FuzzComplete(f *testing.F) {
	f.Add(`a:"b" | count by x | search count > 1`, 9)
	f.Add(`[x | "\`, 5)
	f.Fuzz(func(t *testing.T, text string, at int) {
		s := query.Complete(text, at, query.Options{})
		if s.Start < 0 || s.Start > s.End || s.End > len(text) {
			t.Errorf("%q at %d: %d..%d", text, at, s.Start, s.End)
		}
	})
}
