package kql

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLint(t *testing.T) {
	fields := []string{"user.name", "event.action", "event.outcome", "source.ip", "items.name", "message", "and foo", "a", "b"}
	// Each warning is what it stands under, what it says and what it advises.
	f := func(text string, want ...string) {
		t.Helper()
		n, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var got []string
		for _, w := range Lint(text, n, fields) {
			got = append(got, text[w.Place.Start:w.Place.End], w.Message, w.Hint)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got %s", text, diff)
		}
	}
	f("a:b and not user.name:(x or y*) and message:\"some text\" and source.ip:10.0.0.0/8 and a > 5 and items:{ name:x }")
	f("event:* and *:* and ev*:x")
	f("")

	f(`a:"b*"`, `"b*"`, "* in quotes is a plain character, so this is no wildcard", "b*")
	f(`a:"x (*)"`, `"x (*)"`, "* in quotes is a plain character, so this is no wildcard", `x \(*\)`)
	f(`"a*":b`, `"a*"`, "* in quotes is a plain character, so this is no wildcard", "", `"a*"`, `there is no field "a*"`, "a")
	f("a:b and", "and", `"and" has nothing after it, so it is part of the value`, "")
	f("a:b OR", "OR", `"OR" has nothing after it, so it is part of the value`, "")
	f("a:b\nnot", "not", `"not" has nothing after it, so it is part of the value`, "")
	f("and foo:b", "and", `"and" has nothing before it, so it is part of the field name`, "")
	f("or b", "or", `"or" has nothing before it, so it is part of the value`, "")
	f(`a:\and x`)
	f("a:android and b:for")
	f(`a:x \not y`, `\not`, `\n is a line break, so \not is not the word "not"`, `\u006eot`)
	f("a:*x\n*y and b:c", "*x\n*y", "the value goes on behind the line break: a keyword (and, or) may be missing", "")
	f("a:(* curl*)", "* curl*", "a wildcard with a space in it finds, on text fields, each of its parts alone", "")
	f("a:True", "True", "True is only text; a boolean or null is written in lower case", "true")
	f("a:null", "null", "null matches nothing and Elasticsearch refuses it; fields without a value are found by: not field:*", "")
	f("a && b", "&&", "&& is no keyword in KQL: it is part of the value", "and")
	f("a:b || c", "||", "|| is no keyword in KQL: it is part of the value", "or")
	f("a:[1 TO 5]", "[1 TO 5]", "ranges of this form are Lucene's; in KQL they are written: field >= 1 and field <= 5", "")
	f("a:/ab.*c/", "/ab.*c/", "KQL has no regular expressions: the slashes are part of the value", "")
	f("a:/usr/bin/")
	f("a > 5*", "5*", "a wildcard has no order: * is a plain character behind < and >", "")
	f("user.name=root", "user.name=root", "= is no comparison in KQL, so this is text to be found in any field", "user.name:root")
	f("a != 5", "a != 5", "!= is no comparison in KQL, so this is text to be found in any field", "not a:5")
	f("items:{ foo }", "foo", "a value without a field finds nothing inside braces", "")
	f("a b:c", "a b", "the field name holds a space: a keyword (and, or) or a colon may be missing", "", "a b", `there is no field "a b"`, "a")

	f("user.nane:x", "user.nane", `there is no field "user.nane"`, "user.name")
	f("User.Name:x", "User.Name", `there is no field "User.Name"`, "user.name")
	f("outcome:x", "outcome", `there is no field "outcome"`, "event.outcome")
	f("user.nane:(x or y)", "user.nane", `there is no field "user.nane"`, "user.name")
	f("items:{ nam:x }", "nam", `there is no field "items.nam"`, "items.name")
	f("zzzzzz.qqqq > 1", "zzzzzz.qqqq", `there is no field "zzzzzz.qqqq"`, "")
}

func TestLintWithoutFieldsKnowsNoUnknownOnes(t *testing.T) {
	n, err := Parse("whatever:x and not other > 3")
	if err != nil {
		t.Fatal(err)
	}
	if got := Lint("whatever:x and not other > 3", n, nil); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}
