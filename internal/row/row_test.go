package row_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tocsin/internal/row"
)

func read(t *testing.T, doc string, fields ...string) string {
	t.Helper()
	s := row.NewSchema()
	e := row.NewExtractor(s, fields)
	e.TimeFields("@timestamp")
	vals, err := e.Extract(doc, nil)
	if err != nil {
		t.Fatalf("extract %s: %v", doc, err)
	}
	return string(row.AppendRow(nil, s.Names(), vals))
}

func TestExtractReadsFieldsHoweverTheyAreNested(t *testing.T) {
	f := func(doc, want string, fields ...string) {
		t.Helper()
		if got := read(t, doc, fields...); got != want {
			t.Errorf("%s %v\n got %s\nwant %s", doc, fields, got, want)
		}
	}
	f(`{"a":{"b":{"c":1}}}`, `{"a.b.c":1}`, "a.b.c")
	f(`{"a.b":{"c":1}}`, `{"a.b.c":1}`, "a.b.c")
	f(`{"a":{"b.c":1}}`, `{"a.b.c":1}`, "a.b.c")
	f(`{"a.b.c":1,"x":2}`, `{"a.b.c":1,"x":2}`, "a.b.c", "x")
	f(`{"a.b.c":1,"a":{"b":{"c":2}}}`, `{"a.b.c":[1,2]}`, "a.b.c")
	f(`{"a":[{"b":1},{"b":[2,3]},{"c":4},7]}`, `{"a.b":[1,2,3]}`, "a.b")
	f(`{"a":{"b":1}}`, `{"a":{"b":1},"a.b":1}`, "a", "a.b")
	f(`{"a":{},"b":[],"c":null,"d":[null]}`, `{"a":null,"b":null,"c":null,"d":null}`, "a", "b", "c", "d")
	f(`{"a":[5]}`, `{"a":[5]}`, "a")
	f(`{"n":9007199254740993,"u":18446744073709551615,"h":1e400,"f":1.50,"z":-0.0}`,
		`{"n":9007199254740993,"u":18446744073709551615,"h":1e400,"f":1.5,"z":0}`, "n", "u", "h", "f", "z")
	f(`{"s":"a\u00e9\ud83d\ude00\n\"\\ \ud800x"}`, `{"s":"aé😀\n\"\\ `+"\ufffd"+`x"}`, "s")
	f(`{"@timestamp":"2024-07-01T00:00:00","t":"2024-07-01T00:00:00"}`,
		`{"@timestamp":"2024-07-01T00:00:00Z","t":"2024-07-01T00:00:00"}`, "@timestamp", "t")
	f(`{"@timestamp":1700000000123}`, `{"@timestamp":"2023-11-14T22:13:20.123Z"}`, "@timestamp")
	f(`{"b":1,"a":{"x":[{"y":"q"}],"e":{}}}`, `{"@timestamp":null,"b":1,"a.x.y":"q"}`)
}

func TestExtractRefusesWhatIsNotOneObject(t *testing.T) {
	for _, doc := range []string{
		``, `[]`, `5`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":01}`, `{"a":1.}`, `{"a":1e}`,
		`{"a":tru}`, `{"a":"` + "\n" + `"}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":1} x`, `{"a":[1,]}`, `{"b":[}`, `{"a":+1}`,
		strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600),
	} {
		for _, fields := range [][]string{nil, {"a"}, {"zz"}} {
			if _, err := row.NewExtractor(row.NewSchema(), fields).Extract(doc, nil); err == nil {
				t.Errorf("extract %.40q of %v: no error", doc, fields)
			}
		}
	}
}

func TestParseTimeReadsISO8601(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		ns, ok := row.ParseTime(s)
		got := "no"
		if ok {
			got = row.NewTimeNano(ns).Text()
		}
		if got != want {
			t.Errorf("ParseTime(%q) is %s, want %s", s, got, want)
		}
	}
	f("2024-02-29", "2024-02-29T00:00:00Z")
	f("2023-02-29", "no")
	f("2024-07-01T10:20", "2024-07-01T10:20:00Z")
	f("2024-07-01 10:20:30,5", "2024-07-01T10:20:30.5Z")
	f("2024-07-01T10:20:30.123456789+02:00", "2024-07-01T08:20:30.123456789Z")
	f("2024-07-01T10:20:30-0730", "2024-07-01T17:50:30Z")
	f("2024-07-01T10:20:30.", "no")
	f("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z")
	f("2024-13-01", "no")
	f("2024-01-01T25:00:00Z", "no")
	f("2024-01-01 and more", "no")
}

func TestCompareFollowsTheSemanticsOfWhere(t *testing.T) {
	f := func(a, b row.Value, want int) {
		t.Helper()
		if got, ok := row.Compare(a, b); !ok || got != want {
			t.Errorf("Compare(%s, %s) is %d %v, want %d", a.AppendJSON(nil), b.AppendJSON(nil), got, ok, want)
		}
	}
	s, n, fl := row.NewString, row.NewInt, row.NewFloat
	f(n(10), s("9"), 1)
	f(s("10"), s("9"), -1)
	f(n(5), s("5.0"), 0)
	f(n(5), s("abc"), -1)
	f(n(9007199254740993), fl(9007199254740992), 1)
	f(row.NewNumber("18446744073709551615"), row.NewNumber("18446744073709551614"), 1)
	f(row.NewNumber("1e400"), n(5), 1)
	f(row.NewBool(false), row.NewBool(true), -1)
	f(row.NewBool(true), s("true"), 0)
	tm, _ := row.ParseTime("2024-07-01T00:00:00Z")
	f(row.NewTimeNano(tm), s("2024-07-01T02:00:00+02:00"), 0)
	f(row.NewTimeNano(tm), n(1719792000), 0)
	if _, ok := row.Compare(row.Value{}, n(1)); ok {
		t.Error("a comparison with null is known")
	}
}

func TestStrictOrderIsATotalOrder(t *testing.T) {
	vals := []row.Value{
		{},
		row.NewBool(true), row.NewBool(false), row.NewInt(5), row.NewString("5"), row.NewString("05"), row.NewFloat(5), row.NewFloat(4.5),
		row.NewString("a"), row.NewString(""), row.NewTimeNano(7), row.NewList([]row.Value{row.NewInt(1), row.NewInt(2)}), row.NewObject(`{"a":1}`),
		row.NewNumber("18446744073709551615"), row.NewNumber("1e400"), row.NewNumber("-1e400"),
	}
	for _, a := range vals {
		for _, b := range vals {
			ab, ba := row.StrictOrder(a, b), row.StrictOrder(b, a)
			if ab != -ba {
				t.Errorf("order of %s and %s: %d and %d", a.AppendJSON(nil), b.AppendJSON(nil), ab, ba)
			}
			if (ab == 0) != a.Equal(b) {
				t.Errorf("%s and %s: order %d, equal %v", a.AppendJSON(nil), b.AppendJSON(nil), ab, a.Equal(b))
			}
			for _, c := range vals {
				if ab <= 0 && row.StrictOrder(b, c) <= 0 && row.StrictOrder(a, c) > 0 {
					t.Errorf("%s <= %s <= %s but not the ends", a.AppendJSON(nil), b.AppendJSON(nil), c.AppendJSON(nil))
				}
			}
		}
	}
}

func FuzzExtractAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,"x\u0041",null,{"c":true}]},"d.e":-1.5e3}`, `{"a":1`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"":{"":1}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		valid := json.Valid([]byte(doc)) && strings.HasPrefix(strings.TrimLeft(doc, " \t\r\n"), "{")
		for _, fields := range [][]string{nil, {"a.b", "a", "d"}} {
			s := row.NewSchema()
			vals, err := row.NewExtractor(s, fields).Extract(doc, nil)
			if (err == nil) != valid && !strings.Contains(doc, strings.Repeat("[", 20)) {
				t.Fatalf("%q: error %v, valid %v", doc, err, valid)
			}
			if err != nil {
				continue
			}
			if out := row.AppendRow(nil, s.Names(), vals); !json.Valid(out) {
				t.Errorf("%q became %q", doc, out)
			}
			for _, v := range vals {
				_ = v.Text()
				v.Number()
				row.Order(v, row.NewInt(1))
			}
		}
	})
}
