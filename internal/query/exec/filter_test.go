package exec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/query/kql"
	"tocsin/internal/row"
)

var filterNow = time.Date(2026, 3, 4, 15, 30, 0, 0, time.UTC) // a Wednesday

func compileFilter(t rapid.TB, text string, types Types) *Filter {
	t.Helper()
	n, err := kql.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return NewFilter(n, types)
}

// filterTable checks which queries a document matches.
func filterTable(t *testing.T, doc Map, types Types) func(text string, want bool) {
	return func(text string, want bool) {
		t.Helper()
		if got := compileFilter(t, text, types).Match(doc, filterNow); got != want {
			t.Errorf("%s: matches %v, want %v", text, got, want)
		}
	}
}

func TestFilterValues(t *testing.T) {
	f := filterTable(t, Map{
		"user.name": {"Alice Smith"},
		"tags":      {"prod", "linux", "a*b"},
		"count":     {json.Number("10")},
		"ratio":     {0.5},
		"port":      {"443"},
		"big":       {json.Number("18446744073709551615")},
		"ok":        {true},
		"word":      {"true"},
		"small":     {int8(-3)},
		"empty":     {},
		"nothing":   {nil},
		"blank":     {""},
		"path":      {`C:\Windows\System32\cmd.exe`},
	}, nil)
	// Keywords are compared as a whole and with their case.
	f(`user.name:"Alice Smith"`, true)
	f("user.name:Alice Smith", true)
	f("user.name:alice smith", false)
	f("user.name:Alice", false)
	f("tags:linux", true)
	f("tags:(windows or linux)", true)
	f("tags:(prod and linux)", true)
	f("not tags:linux", false)
	f("tags:(not linux)", false)
	f("tags:(not windows)", true)

	// Wildcards match the whole value.
	f("user.name:Alice*", true)
	f("user.name:*smith", false)
	f("user.name:*Smi*h", true)
	f("user.name:A* S*", true)
	f("user.name:lice*", false)
	f(`user.name:"Alice*"`, false)
	f(`tags:a\*b`, true)
	f(`tags:a\**`, true)
	f(`path:*\\system32\\*`, false)
	f(`path:*\\System32\\*.exe`, true)
	f(`path:"C:\\Windows\\System32\\cmd.exe"`, true)
	f(`path:"C:\Windows\System32\cmd.exe"`, true)
	f("count:1*", true)

	// Numbers, whatever their spelling; text stays text.
	f("count:10", true)
	f("count:10.0", true)
	f("count:1e1", true)
	f("count:11", false)
	f("count:ten", false)
	f("ratio:.5", true)
	f("small:-3", true)
	f("port:443", true)
	f("port:443.0", false)
	f("big:18446744073709551615", true)
	f("big:18446744073709551614", false)
	f("ok:true", true)
	f("ok:false", false)
	f(`ok:"true"`, true)
	f("word:true", true)

	// Null, an empty list and a missing field are the same.
	for _, name := range []string{"empty", "nothing", "missing"} {
		f(name+":*", false)
		f(name+":x", false)
		f("not "+name+":x", true)
		f("not "+name+":*", true)
		f(name+" > 0", false)
		f("not "+name+" > 0", true)
	}
	f("blank:*", true)
	f(`blank:""`, true)
	f("user:*", true)
	f("use:*", false)
	f("count:null", false)

	// Wildcards in names.
	f("user.*:*", true)
	f("us*:Alice Smith", true)
	f("*:linux", true)
	f("t*s:(linux and prod)", true)
	f("x*:*", false)
	f("*:*", true)
	f("not *:*", false)
	f(`"user.*":*`, false)
}

func TestFilterRanges(t *testing.T) {
	f := filterTable(t, Map{
		"n":    {json.Number("10")},
		"many": {1, 100},
		"s":    {"10"},
		"word": {"banana"},
		"ok":   {true},
		"ip":   {"10.0.0.20"},
		"v6":   {"2001:db8::1"},
	}, nil)
	f("n > 9", true)
	f("n > 10", false)
	f("n >= 10", true)
	f("n < 10.5", true)
	f("n <= 9", false)
	f("n > 9.999999", true)
	f("many > 50", true)
	f("many < 50", true)
	f("many > 50 and many < 50", true)
	f("many > 100", false)
	f("s > 9", true)
	f("s < 9", false)
	f("word > apple", true)
	f("word < Zebra", false)
	f("word >= banana", true)
	f("word > 5", true)
	f("n > ten", false)
	f("ok > false", true)
	f("ok >= true", true)
	f("ok > 5", false)
	f("ip > 10.0.0.3", true)
	f("ip < 10.0.0.100", true)
	f("ip >= 9.255.255.255", true)
	f("v6 > 10.0.0.1", true)
	f("n > null", true)
	f("missing > null", false)
}

func TestFilterAddresses(t *testing.T) {
	f := filterTable(t, Map{"ip": {"10.1.2.3"}, "v6": {"2001:db8::1"}, "net": {"10.0.0.0/8"}, "name": {"10.1.2"}}, nil)
	f("ip:10.1.2.3", true)
	f("ip:10.0.0.0/8", true)
	f(`ip:"10.0.0.0/8"`, true)
	f("ip:10.1.2.0/30", true)
	f("ip:10.1.2.8/30", false)
	f("ip:0.0.0.0/0", true)
	f("ip:10.9.9.9/8", true)
	f("ip:10.0.0.0/33", false)
	f("ip:10.1.*", true)
	f("v6:2001\\:db8\\:\\:/32", true)
	f(`v6:"2001:0DB8:0:0::1"`, true)
	f(`v6:"::/0"`, true)
	f("v6:10.0.0.0/8", false)
	f("net:10.0.0.0/8", true)
	f("name:10.0.0.0/8", false)
}

func TestFilterDates(t *testing.T) {
	f := filterTable(t, Map{
		"iso":   {"2026-03-04T15:00:00.250Z"},
		"zone":  {"2026-03-04T17:00:00+02:00"},
		"day":   {"2026-03-04"},
		"time":  {time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC)},
		"epoch": {json.Number("1772636400000")}, // 2026-03-04T15:00:00Z
		"text":  {"soon"},
	}, nil)
	for _, name := range []string{"zone", "time", "epoch"} {
		f(name+`:"2026-03-04T15:00:00Z"`, true)
		f(name+":2026-03-04", true)
		f(name+`:"2026-03-04T15"`, true)
		f(name+`:"2026-03-04T15:00"`, true)
		f(name+`:"2026-03-04T15:01"`, false)
		f(name+`:"2026-03-04T16:00:00+01:00"`, true)
		f(name+":2026-03-05", false)
		f(name+" < 2026-03-05", true)
		f(name+" <= 2026-03-04", true)
		f(name+" > 2026-03-04", false)
		f(name+" >= 2026-03-04", true)
		f(name+" < 2026-03-04", false)
		f(name+" > 2026-03-03", true)
		f(name+" > 1772636399999", true)
		f(name+" > 1772636400000", false)
		f(name+" >= now-1h", true)
		f(name+" > now-30m", false)
		f(name+" > now-31m", true)
		f(name+" < now", true)
		f(name+" < now/h", false)
		f(name+" >= now/h", true)
		f(name+":now/h", true)
		f(name+":now/d", true)
		f(name+":now-1d/d", false)
		f(name+":now/w", true)
		f(name+" < now+1M/M", true)
		f(name+" > now-1y", true)
		f(name+` >= "2026-03-01||+3d"`, true)
		f(name+` > "2026-02-28||+1M/M"`, false)
		f(name+` < "2026-02-28||+1M/M"`, false)
		f(name+` <= "2026-02-28||+1M/M"`, true)
	}
	f(`iso:"2026-03-04T15:00:00"`, true)
	f(`iso:"2026-03-04T15:00:00.250Z"`, true)
	f(`iso:"2026-03-04T15:00:00.251Z"`, false)
	f(`iso > "2026-03-04T15:00:00"`, false)
	f(`iso <= "2026-03-04T15:00:00"`, true)
	// As in Elasticsearch a month or year alone is its first day.
	f("iso:2026-03", false)
	f("iso >= 2026-03", true)
	f("iso > 2026", true)
	f("iso < 2027", true)
	f("day:2026-03-04", true)
	f("day < 2026-03-04", false)
	// What is no date compares as text.
	f("text >= now-1h", true)
	f("text:now", false)
	f("iso >= yesterday", false)
	f("time >= now-", false)
	f("time >= now-5", false)
	f("time >= now-5x", false)
	f("time:2026-02-30", false)
}

func TestFilterText(t *testing.T) {
	doc := Map{
		"message":    {"Failed password for invalid user Admin from 10.1.2.3 port 22"},
		"event.kind": {"Authentication Failure"},
		"code":       {json.Number("404")},
		"ip":         {"192.168.0.9"},
	}
	f := filterTable(t, doc, nil)
	f("message:failed", true)
	f("message:FAILED nothing", true)
	f(`message:"password for"`, true)
	f(`message:"for password"`, false)
	f(`message:"password invalid"`, false)
	f("message:fail", false)
	f("message:fail*", true)
	f("message:*Pass*", true)
	f("message:nothing* adm*", true)
	f("message:nothing* admin", true)
	f("message:10.1.2.3", true)
	f(`message:"--"`, false)
	f("message:*", true)

	// A value without a field is looked for everywhere.
	f("admin", true)
	f(`"invalid user"`, true)
	f(`"user invalid"`, false)
	f("failure", true)
	f(`"authentication failure"`, true)
	f("authentic*", true)
	f("404", true)
	f("192.168.0.0/16", true)
	f("nothing", false)
	f("nothing failure", true)
	f("not nothing", true)
	f("*", true)

	// Types decide.
	types := func(name string) FieldType {
		switch name {
		case "message":
			return Keyword
		case "event.kind":
			return Text
		case "ip":
			return Unindexed
		}
		return Untyped
	}
	f = filterTable(t, doc, types)
	f("message:failed", false)
	f("message:Failed*22", true)
	f("event.kind:failure", true)
	f("admin", false)
	f("ip:*", false)
	f("ip:192.168.0.9", false)
	f("192.168.0.9", false)
	f("event.kind.keyword:Authentication Failure", true)
	f("event.kind.keyword:failure", false)
	f("message.text:admin", true)
}

func TestFilterNested(t *testing.T) {
	f := filterTable(t, Map{"items.name": {"a", "b"}, "items.parts.size": {1, 5}, "name": {"c"}}, nil)
	f("items:{ name:a }", true)
	f("items:{ name:c }", false)
	f("items:{ name:a and parts:{ size > 3 } }", true)
	f("items:{ not name:c }", true)
	f("items.parts:{ size:5 }", true)
	f("items:{ n*:b }", true)
	f("items:{ name:* and p*:* }", true)
	f("items:{ a }", false)
	f("null:{ name:c }", true)
}

func TestFilterFields(t *testing.T) {
	f := func(text string, all bool, want ...string) {
		t.Helper()
		names, gotAll := compileFilter(t, text, nil).Fields()
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" || gotAll != all {
			t.Errorf("%s: all %v, -want +got %s", text, gotAll, diff)
		}
	}
	f("", false)
	f("a:1 and not b.c > 2 or n:{x:1}", false, "a", "b.c", "n.x")
	f("a.keyword:1", false, "a", "a.keyword")
	f("a:1 and foo", true, "a")
	f("a*:1", true)
	f("a:("+strings.Repeat("1 or ", 20)+"2)", false, "a")
}

// A list long enough to be looked up finds what its values find one by one.
func TestFilterListsAreTheirValues(t *testing.T) {
	literal := rapid.SampledFrom([]string{
		"a", "b", "A", "1", "1.0", "10", "true", "10.0.0.0/8", "10.1.1.1", "2026-03-04", "now/d", `"x y"`, "x", "18446744073709551616", "1e3", "not",
	})
	value := rapid.SampledFrom([]any{
		"a", "b", "c", "1", json.Number("1"), json.Number("1000"), json.Number("18446744073709551616"), json.Number("1.8446744073709551616e19"), true, "true", "10.1.1.1", "11.1.1.1",
		"2026-03-04T01:00:00Z", time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC), "x y", json.Number("1772636400000"), 0.5,
	})
	field := rapid.SampledFrom([]string{"f", "message", "g"})
	kinds := rapid.SampledFrom([]FieldType{Untyped, Keyword, Text, Number, Boolean, IP, Date})
	rapid.Check(t, func(t *rapid.T) {
		kind := kinds.Draw(t, "type")
		types := func(string) FieldType { return kind }
		var parts []string
		list := &kql.Or{}
		for range rapid.IntRange(listMin, 2*listMin).Draw(t, "length") {
			text := field.Draw(t, "field") + ":" + literal.Draw(t, "literal")
			n, err := kql.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			list.Nodes = append(list.Nodes, n)
			parts = append(parts, text)
		}
		doc := Map{"f": rapid.SliceOfN(value, 0, 2).Draw(t, "f"), "message": rapid.SliceOfN(value, 0, 2).Draw(t, "message")}
		want := false
		for _, p := range parts {
			want = want || compileFilter(t, p, types).Match(doc, filterNow)
		}
		if got := NewFilter(list, types).Match(doc, filterNow); got != want {
			t.Fatalf("%v matches %v: %v, one by one %v", parts, doc, got, want)
		}
	})
}

func TestWildcardsTakeLinearTime(t *testing.T) {
	w := newWildcard(strings.Split("a"+strings.Repeat("*a", 2000)+"*b", "*"))
	if w.match(strings.Repeat("a", 200_000)) {
		t.Error("there is no b")
	}
	f := func(pattern, s string, want bool) {
		t.Helper()
		if got := newWildcard(strings.Split(pattern, "*")).match(s); got != want {
			t.Errorf("%s on %s: %v", pattern, s, got)
		}
	}
	f("a*a", "a", false)
	f("a*a", "aa", true)
	f("*", "", true)
	f("*ab*ab*", "abab", true)
	f("*ab*ab*", "aab", false)
	f("**", "x", true)
	f("a*b*c", "abc", true)
	f("a*b*c", "acb", false)
	f("*é*", "é", true)
}

func TestMapValues(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	type name string
	m := Map{
		"s": {"x"}, "n": {json.Number("1.5")}, "u": {uint64(1<<64 - 1)}, "i": {int32(-2)}, "f": {float32(0.5)}, "b": {false}, "t": {at},
		"named": {name("y")}, "row": {row.NewInt(3)}, "null": {nil}, "odd": {struct{}{}}, "list": {1, nil, "z"}, "duration": {time.Second},
	}
	want := map[string]string{
		"s": "x", "n": "1.5", "u": "18446744073709552000", "i": "-2", "f": "0.5", "b": "false", "t": "2026-01-02T03:04:05.000000006Z",
		"named": "y", "row": "3", "null": "", "odd": "", "list": "1, z", "duration": "1000000000", "missing": "",
	}
	for k, text := range want {
		if got := m.Value(k).Text(); got != text {
			t.Errorf("%s is %q, want %q", k, got, text)
		}
	}
}

func BenchmarkFilter(b *testing.B) {
	doc := Map{
		"event.action": {"ssh_login"}, "event.outcome": {"failure"}, "user.name": {"root"}, "source.ip": {"10.1.2.3"},
		"message": {"Failed password for root from 10.1.2.3 port 22 ssh2"}, "@timestamp": {time.Now()},
	}
	var list strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&list, "name%d or ", i)
	}
	for name, text := range map[string]string{
		"keywords": "event.action:ssh_login and event.outcome:failure and not user.name:admin*",
		"words":    `message:"failed password"`,
		"time":     "@timestamp >= now-15m",
		"list":     "user.name:(" + list.String() + "root)",
	} {
		b.Run(name, func(b *testing.B) {
			n, err := kql.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			f := NewFilter(n, nil)
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				if !f.Match(doc, now) {
					b.Fatal("no match")
				}
			}
		})
	}
}
