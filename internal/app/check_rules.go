package app

import (
	"fmt"

	"tocsin/internal/check"
	"tocsin/internal/config"
	"tocsin/internal/rule"
)

// checkRules reads the rules of rules_dir, and tells of each that is wrong, at its place.
func checkRules(cfg *config.Config) []check.Finding {
	if cfg.RulesDir == "" {
		return nil
	}
	const part = "rules"
	tables, err := ReadTables(cfg)
	if err != nil { // told of by name elsewhere; here the names are what counts
		tables = Tables{}
	}
	entries, err := rule.ReadDir(cfg.RulesDir, rule.ParseOptions{Sources: SourceNames(cfg), Lookups: tables})
	if err != nil {
		return []check.Finding{{
			Part: part, Place: cfg.Place("rules_dir"), Problem: true, Text: err.Error(), Hint: "Make the directory, or name another one in `rules_dir`.",
		}}
	}
	var out []check.Finding
	good := 0
	for _, e := range entries {
		for _, p := range e.Problems {
			out = append(out, check.Finding{Part: part, Place: p.Place, Problem: true, Text: p.Text})
		}
		if len(e.Problems) == 0 {
			good++
			for _, w := range e.Rule.Warnings {
				out = append(out, check.Finding{Part: part, Place: w.Place, Warning: true, Text: w.Text})
			}
		}
	}
	text := fmt.Sprintf("%s in %s", counting(good, "rule is good", "rules are good"), cfg.RulesDir)
	return append([]check.Finding{{Part: part, Place: cfg.Place("rules_dir"), Text: text}}, out...)
}
