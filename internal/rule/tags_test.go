package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithTagsKeepsWhatWasWritten(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"none before": {"# mine\nname: a\nsearch: x:1\nevery: 5m\n", "[web]"},
		"some before": {"name: a # here\nsearch: x:1\nevery: 5m\ntags: [ssh, web]\n", "[ssh web]"},
		"a list":      {"name: a\ntags:\n  - ssh\nsearch: x:1\nevery: 5m\n", "[ssh web]"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := WithTags([]byte(c.content), []string{"web"})
			if err != nil {
				t.Fatal(err)
			}
			r, err := Parse(out, ParseOptions{ID: "a"})
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(c.want, "["+strings.Join(r.Tags, " ")+"]"); diff != "" {
				t.Errorf("%s\n%s", diff, out)
			}
			if strings.Contains(c.content, "#") != strings.Contains(string(out), "#") {
				t.Errorf("a comment is gone:\n%s", out)
			}
		})
	}
}
