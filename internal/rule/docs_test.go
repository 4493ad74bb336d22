package rule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheGuideSaysWhatIsTrue reads every rule of docs/rules.md, runs its tests, and holds that what is said of wrong
// ones is what comes out.
func TestTheGuideSaysWhatIsTrue(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "rules.md")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(content), "```")
	if len(parts)%2 == 0 {
		t.Fatal("a block is never closed")
	}
	files, used, got, tests := map[string][]byte{}, map[string]bool{}, "", 0
	for i := 1; i < len(parts); i += 2 {
		kind, body, _ := strings.Cut(parts[i], "\n")
		switch {
		case strings.HasPrefix(kind, "file "):
			files[strings.TrimPrefix(kind, "file ")] = []byte(body)
		case kind == "rule":
			r, err := Parse([]byte(body), ParseOptions{Now: testNow})
			if err != nil {
				t.Errorf("%s\n%v", body, err)
				continue
			}
			for _, w := range r.Warnings {
				t.Errorf("%s: %s", r.Name, w)
			}
			results, err := tester.Run(t.Context(), &Entry{ID: r.ID, Rule: r, files: files})
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range results {
				tests++
				if !result.Passed {
					t.Errorf("%s, %s: %q", r.Name, result.Test, result.Differences)
				}
			}
			tree, err := treeOf([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			noteKeys(tree, described, "", used)
		case kind == "wrong":
			_, err := Parse([]byte(body), ParseOptions{File: "rule.yaml", Now: testNow})
			if err == nil {
				t.Fatalf("%s\nis right", body)
			}
			got = err.Error() + "\n"
		case kind == "said":
			if !*update {
				if diff := cmp.Diff(body, got); diff != "" {
					t.Error(diff)
				}
			}
			parts[i] = "said\n" + got
		}
	}
	if tests < 8 {
		t.Errorf("%d tests", tests)
	}
	for _, name := range allKeys(described, "") {
		if !used[name] {
			t.Errorf("no rule shows the key %s", name)
		}
		last := name[strings.LastIndexByte(name, '.')+1:]
		if !strings.Contains(string(content), "`"+last+"`") && !strings.Contains(string(content), "`"+last+":") {
			t.Errorf("the text does not tell of the key %s", name)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(parts, "```")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// noteKeys notes the keys of the description that a rule has.
func noteKeys(n *node, s *shape, path string, used map[string]bool) {
	switch s.form {
	case sectionForm:
		for _, k := range s.keys {
			if v := n.get(k.name); v != nil {
				used[join(path, k.name)] = true
				noteKeys(v, k.shape, join(path, k.name), used)
			}
		}
	case listForm:
		for _, item := range n.items {
			noteKeys(item, s.of, path, used)
		}
	case eitherForm:
		for _, c := range s.choices {
			if c.takes(n.kind) {
				noteKeys(n, c, path, used)
			}
		}
	}
}

func allKeys(s *shape, path string) []string {
	var out []string
	switch s.form {
	case sectionForm:
		for _, k := range s.keys {
			out = append(append(out, join(path, k.name)), allKeys(k.shape, join(path, k.name))...)
		}
	case listForm:
		out = allKeys(s.of, path)
	case eitherForm:
		for _, c := range s.choices {
			out = append(out, allKeys(c, path)...)
		}
	}
	return out
}
