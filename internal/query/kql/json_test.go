package kql

import "testing"

func TestJSONIsKibanas(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		n, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(JSON(n)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
	f("a>1", `{"type":"function","function":"range","arguments":[{"type":"literal","value":"a","isQuoted":false},"gt",{"type":"literal","value":"1","isQuoted":false}]}`)
	f("", `{"type":"function","function":"is","arguments":[{"type":"wildcard","value":"@kuery-wildcard@"},{"type":"wildcard","value":"@kuery-wildcard@"}]}`)
	f(`"b*"`, `{"type":"function","function":"is","arguments":[{"type":"literal","value":null,"isQuoted":false},{"type":"literal","value":"b*","isQuoted":true}]}`)
	f("a:(true or x*y)", `{"type":"function","function":"or","arguments":[{"type":"function","function":"is","arguments":[{"type":"literal","value":"a","isQuoted":false},{"type":"literal","value":true,"isQuoted":false}]},{"type":"function","function":"is","arguments":[{"type":"literal","value":"a","isQuoted":false},{"type":"wildcard","value":"x@kuery-wildcard@y"}]}]}`)
	f("not n:{a:null}", `{"type":"function","function":"not","arguments":[{"type":"function","function":"nested","arguments":[{"type":"literal","value":"n","isQuoted":false},{"type":"function","function":"is","arguments":[{"type":"literal","value":"a","isQuoted":false},{"type":"literal","value":null,"isQuoted":false}]}]}]}`)
	// Strings are as JSON.stringify writes them.
	f("\"<&>\u2028\x01\\t\\n\\\\\\\"\\u0008\\u000c\x7f/é\"", `{"type":"function","function":"is","arguments":[{"type":"literal","value":null,"isQuoted":false},{"type":"literal","value":"<&>`+"\u2028"+`\u0001\t\n\\\"\b\f`+"\x7f"+`/é","isQuoted":true}]}`)
	f(`"\ud83d\ude00 \ud83d \ude00\ud83d"`, `{"type":"function","function":"is","arguments":[{"type":"literal","value":null,"isQuoted":false},{"type":"literal","value":"😀 \ud83d \ude00\ud83d","isQuoted":true}]}`)
}
