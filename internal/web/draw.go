package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/duration"
	"tocsin/internal/query"
)

// pageFuncs are what templates can call beside the usual.
var pageFuncs = template.FuncMap{
	"asset":    assetAddress,
	"when":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"ago":      ago,
	"duration": duration.Format,
	"segment":  url.PathEscape, // a name as one part of a path, whatever is in it
	"is":       kqlIs,
	"deref": func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	},
	"yes":   func(b *bool) bool { return b != nil && *b },
	"dict":  dict,
	"list":  func(values ...any) []any { return values },
	"join":  strings.Join,
	"spark": spark,
	"count": countOf,
}

// kqlIs is KQL that asks for one value of a field, whatever is in it.
func kqlIs(field, value string) string {
	return field + ":" + query.QuoteValue(value)
}

// dict makes a map of names and values, to give a template more than one thing.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok || i+1 == len(pairs) {
			return nil, fmt.Errorf("dict: %v is not the name of a value", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// ago says how long before now a time was, roughly: "3 m ago".
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < 0:
		return "in " + roughly(-d)
	case d < 5*time.Second:
		return "just now"
	}
	return roughly(d) + " ago"
}

func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// countOf says a number with its noun: "1 alert", "3 alerts". Other plurals are given.
func countOf(n int, one string, plural ...string) string {
	word := one
	if n != 1 {
		word = one + "s"
		if len(plural) > 0 {
			word = plural[0]
		}
	}
	return strconv.Itoa(n) + " " + word
}

// spark draws numbers as bars in a line of text, the greatest as high as the line. Label says to those who do not
// see it what it shows. It is made of numbers and escaped text alone.
func spark(label string, values []int) template.HTML {
	const width, height, gap = 120, 24, 1
	greatest := 1
	for _, v := range values {
		greatest = max(greatest, v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, width, height, template.HTMLEscapeString(label))
	step := float64(width) / float64(max(1, len(values)))
	for i, v := range values {
		x, h := float64(i)*step, float64(v)/float64(greatest)*height
		if v == 0 {
			fmt.Fprintf(&b, `<rect class="base" x="%.2f" y="%d" width="%.2f" height="1"/>`, x, height-1, max(.5, step-gap))
			continue
		}
		h = max(2, h)
		fmt.Fprintf(&b, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f"/>`, x, height-h, max(.5, step-gap), h)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and a label that is escaped
}
