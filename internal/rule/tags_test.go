package rule

import (
	"slices"
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

func TestWithChannelAndWithoutTagsKeepWhatWasWritten(t *testing.T) {
	for name, content := range map[string]string{
		"neither before": "# mine\nname: a\nsearch: x:1\nevery: 5m\n",
		"both before":    "name: a # here\nchannel: \"#old\" # there\nsearch: x:1\ntags: [ssh, web]\nevery: 5m\n",
		"a list":         "name: a\ntags:\n  - ssh\n  - web\nchannel: C0123\nsearch: x:1\n",
		"JSON":           `{"name": "a", "search": "x:1", "tags": ["ssh", "web"], "channel": "#old"}`,
	} {
		t.Run(name, func(t *testing.T) {
			parsed := func(content []byte) *Rule {
				t.Helper()
				r, err := Parse(content, ParseOptions{ID: "a"})
				if err != nil {
					t.Fatalf("%v\n%s", err, content)
				}
				return r
			}
			before := parsed([]byte(content))
			out, err := WithChannel([]byte(content), "#new, <b>")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(out, ParseOptions{}); err == nil {
				t.Errorf("what is no channel is taken:\n%s", out)
			}
			if out, err = WithChannel([]byte(content), "#new"); err != nil {
				t.Fatal(err)
			}
			if r := parsed(out); r.Channel != "#new" || !slices.Equal(r.Tags, before.Tags) {
				t.Errorf("with a channel:\n%s", out)
			}
			if out, err = WithChannel(out, ""); err != nil {
				t.Fatal(err)
			}
			if r := parsed(out); r.Channel != "" || r.Search != before.Search {
				t.Errorf("without one:\n%s", out)
			}
			if out, err = WithoutTags([]byte(content), []string{"ssh", "other"}); err != nil {
				t.Fatal(err)
			}
			if r := parsed(out); slices.Contains(r.Tags, "ssh") || len(before.Tags) > 0 && !slices.Equal(r.Tags, []string{"web"}) {
				t.Errorf("without a tag:\n%s", out)
			}
			if out, err = WithoutTags([]byte(content), []string{"ssh", "web"}); err != nil {
				t.Fatal(err)
			}
			if r := parsed(out); len(r.Tags) > 0 || r.Channel != before.Channel {
				t.Errorf("without tags:\n%s", out)
			}
		})
	}
}
