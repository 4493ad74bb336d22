package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
}

// session follows the tests of all packages.
type session struct {
	out                     io.Writer
	passed, failed, skipped int
	tests                   map[string]map[string]*test // by package and name, while the package runs
	reasons                 map[string][]string         // why tests were skipped, and which
}

type test struct {
	output strings.Builder
	result string
	parent bool
}

func newSession(out io.Writer) *session {
	return &session{out: out, tests: map[string]map[string]*test{}, reasons: map[string][]string{}}
}

func (s *session) read(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil || e.Action == "" {
		s.out.Write(line)
		return
	}
	switch {
	case e.Action == "build-output":
		io.WriteString(s.out, e.Output)
	case e.Test != "":
		s.readTest(e)
	case e.Action == "output":
		if e.Output != "PASS\n" {
			io.WriteString(s.out, e.Output)
		}
	case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
		s.endPackage(e)
	}
}

func (s *session) readTest(e event) {
	if s.tests[e.Package] == nil {
		s.tests[e.Package] = map[string]*test{}
	}
	tests := s.tests[e.Package]
	t := tests[e.Test]
	if t == nil {
		t = &test{}
		tests[e.Test] = t
		if i := strings.LastIndex(e.Test, "/"); i > 0 {
			if above := tests[e.Test[:i]]; above != nil {
				above.parent = true
			}
		}
	}
	switch e.Action {
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			t.output.WriteString(e.Output)
		}
	case "fail":
		t.result = e.Action
		io.WriteString(s.out, t.output.String())
	case "pass", "skip":
		t.result = e.Action
	}
}

// endPackage counts the tests of a package: those without subtests, and those that failed although
// none of their subtests did. A package that failed outside of its tests counts as one failed test.
func (s *session) endPackage(e event) {
	tests := s.tests[e.Package]
	failed := s.failed
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(tests))) {
		t := tests[name]
		switch {
		case t.result == "":
			io.WriteString(s.out, t.output.String())
			s.failed++
		case t.result == "fail":
			if !t.parent || !failedBelow(tests, name) {
				s.failed++
			}
		case t.parent:
		case t.result == "skip":
			s.skipped++
			why := reason(t.output.String())
			s.reasons[why] = append(s.reasons[why], e.Package+"."+name)
		default:
			s.passed++
		}
	}
	if e.Action == "fail" && s.failed == failed {
		s.failed++
	}
	delete(s.tests, e.Package)
}

func failedBelow(tests map[string]*test, name string) bool {
	for other, t := range tests {
		if t.result != "pass" && t.result != "skip" && strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

var place = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

// reason takes out of a skipped test's output what it said.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			continue
		}
		said = append(said, strings.TrimSpace(place.ReplaceAllString(line, "")))
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

func (s *session) print(w io.Writer) {
	if len(s.reasons) > 0 {
		fmt.Fprintln(w, "\nTests skipped, and why:")
		for _, why := range slices.Sorted(maps.Keys(s.reasons)) {
			tests := s.reasons[why]
			fmt.Fprintf(w, "  %d: %s\n", len(tests), why)
			for i, name := range tests {
				if i == 3 && len(tests) > 4 {
					fmt.Fprintf(w, "     and %d more\n", len(tests)-i)
					break
				}
				fmt.Fprintf(w, "     %s\n", name)
			}
		}
	}
	if s.passed+s.failed == 0 {
		fmt.Fprintln(w, "\nNo test ran.")
	}
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
}
