package rule

import (
	"bytes"
	"testing"

	"tocsin/internal/query"
	"tocsin/internal/query/files"
)

// tester reads documents as the command line does.
var tester = Tester{Backend: func(documents []byte) query.Backend {
	return &files.Backend{Main: files.Input{Path: "-", Reader: bytes.NewReader(documents)}}
}}

func TestThePackIsFitToUse(t *testing.T) {
	ids, names := map[string]bool{}, map[string]bool{}
	for _, e := range Pack() {
		r := e.Rule
		t.Run(e.ID, func(t *testing.T) {
			if ids[e.ID] || names[r.Name] {
				t.Error("its id or name is that of another rule")
			}
			ids[e.ID], names[r.Name] = true, true
			for _, w := range r.Warnings {
				t.Errorf("warning: %s", w)
			}
			if len(r.Attack) == 0 {
				t.Error("it names no ATT&CK technique")
			}
			if r.Noise == "" || r.Description == "" {
				t.Error("it has no note on noise, or no description")
			}
			if r.Enabled != On || r.Source != "" {
				t.Error("it must leave enabled and source to who takes it")
			}
			found, quiet := false, false
			for _, test := range r.Tests {
				found, quiet = found || test.Alerts > 0, quiet || test.Alerts == 0
			}
			if !found || !quiet {
				t.Error("its tests must show that it finds, and that it is quiet")
			}
			results, err := tester.Run(t.Context(), &e)
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range results {
				if !result.Passed {
					t.Errorf("%s: %q", result.Test, result.Differences)
				}
			}
		})
	}
}
