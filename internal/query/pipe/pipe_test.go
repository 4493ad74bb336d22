package pipe_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tocsin/internal/query/pipe"
)

// sameTree compares trees but for their places.
var sameTree = cmp.Options{cmpopts.IgnoreTypes(pipe.Span{}), cmpopts.IgnoreTypes(pipe.Place{}), cmpopts.EquateEmpty()}

func parse(t *testing.T, text string) *pipe.Query {
	t.Helper()
	q, err := pipe.Parse(text)
	if err != nil {
		t.Fatalf("parse %s:\n%v", text, err)
	}
	return q
}

func TestPrintIsCanonical(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := parse(t, in).String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
			return
		}
		if got := parse(t, want).String(); got != want {
			t.Errorf("printing again\n got %s\nwant %s", got, want)
		}
	}
	f(``, ``)
	f(` * `, `*`)
	f(`a:"x|y" | count`, `a:"x|y" | stats count`)
	f(`message:[abc | count`, `message:[abc | stats count`)
	f(`a:1 and [ from t b:[x] | fields f ] or c:2 | head`, `a:1 and [from t b:[x] | fields f] or c:2 | head 10`)
	f(`(not [x | fields a])`, `(not [x | fields a])`)
	f(`not [from a * | table b]|search c : ([d or e) and [g]`, `not [from a * | table b] | search c : ([d or e) and [g]`)
	f(`from logs-*,eu:web FROM x | head 5`, `from logs-*,eu:web FROM x | head 5`)
	f(`from : x | head 1`, `from : x | head 1`)
	f(`from a earliest=-7d latest="now" b:1`, `from a earliest=-7d latest=now b:1`)
	f(`* | COUNT BY user.name`, `* | stats count by user.name`)
	f(`* | count() c(x) as by, AVG( bytes ) by a b,c OVER 5min`, `* | stats count, c(x) as `+"`by`"+`, avg(bytes) by a, b, c over 5m`)
	f(`* | stats count(eval( status = 404 )) by span(_time,5m), b span=10 as c`, `* | stats count(eval(status = 404)) by span(_time, 5m), span(b, 10) as c`)
	f(`* | p95(x) perc99.9(x) percentile(x,50) usenull=true`, `* | stats usenull=true p95(x), perc99.9(x), percentile(x, 50)`)
	f(`* | eval a=1+2*3, 'odd name'="x\"\\\d" . b, c = -(1+2)*3 % 4`, `* | eval a = 1 + 2 * 3, `+"`odd name`"+` = "x\"\\\d" . b, c = -(1 + 2) * 3 % 4`)
}

func TestExpressionsBindAsWritten(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := parse(t, "| where "+in).Pipes[0].String(); got != "where "+want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	f(`not a=1 and b=2 or c=3`, `NOT a = 1 AND b = 2 OR c = 3`)
	f(`not (a=1 and b=2) or (c=3 or d=4)`, `NOT (a = 1 AND b = 2) OR (c = 3 OR d = 4)`)
	f(`a-(b-c)-d > 5%2`, `a - (b - c) - d > 5 % 2`)
	f(`a.b.c == @timestamp . "x" . y`, `a.b.c = @timestamp . "x" . y`)
	f(`x IN ("a", 1, null) AND y NOT IN (2)`, `x IN ("a", 1, null) AND NOT y IN (2)`)
	f("`a b` like \"%x\" or 'c-d' = TRUE", "`a b` LIKE \"%x\" OR `c-d` = true")
	f(`If(a, 1e3, .5) = ceiling(2.0)`, `if(a, 1e3, .5) = ceil(2.0)`)
	f(`(a = b) = c`, `(a = b) = c`)
	f(`--a = - -1`, `--a = --1`)
	f(`match(m, "\d+\.\"")`, `match(m, "\d+\.\"")`)
}

func TestEveryCommandPrintsWhatItParsed(t *testing.T) {
	for _, in := range []string{
		`search count > 10`, `search a and [b | fields c]`, `where a > 1`, `fields a, b*`, `fields - a`, `table a, b.c*`,
		`rename a as b, x* as y*`, `sort 5 -count, +b, num(c) desc`, `sort - a, b`, `head 3 from 5`, `tail`, `limit 7`,
		`dedup 2 a, b keepempty=true consecutive=true sortby -c, d`, `top 3 a, b by c showperc=false countfield=n`, `rare limit=0 a`,
		`bin span=5m`, `bin _time span=1mon`, `bucket bins=10 bytes as b`, `bin span=1d aligntime=@d t`, `bin span=0.5 x`,
		`timechart span=1h count by host limit=5 useother=false usenull=true fill=true`, `timechart avg(x)`,
		`chart count over a by b`, `chart sum(x), count by a b`, `chart count over bytes span=100`,
		`eventstats avg(x) as m by a`, `streamstats window=5 time_window=5m current=false global=false reset_before=(a>1) reset_after=(b) reset_on_change=true sum(x) by a`,
		`fillnull`, `fillnull value=-1.5 a b`, `fillnull value="x y" a`, `rex "(?<n>\d+)"`, `rex field=a.b max_match=0 "(?P<n>x)(?<m>y)"`,
		`rex mode=sed field=a "s/a\/b/\1/g"`, `rex mode=sed "y/abc/xyz/"`, `regex a!="^x"`, `regex "x"`, `replace "a*" with "b*", c with d in e f`,
		`spath`, `spath input=m path=a.b{}.c output=d`, `spath a{0}.b`, `mvexpand a limit=3`, `makemv delim="," a`, `makemv tokenizer="([a-z]+)" allowempty=true a`,
		`lookup t k as f, k2 OUTPUT a as b, c`, `lookup match=cidr case=false t net as source.ip OUTPUTNEW zone`, `lookup t k`,
		`inputlookup t`, `inputlookup append=true t where a > 1`, `join type=left max=0 overwrite=false a, b [from x | table a b c]`,
		`append [* | head 1]`, `union [a] [b | head 2]`, `transaction a b maxspan=5m maxpause=1m maxevents=10 startswith="x:1" endswith=eval(y>2) keepevicted=true`,
		`transaction startswith=(a:"(" and b) endswith=login`, `convert timeformat="%Y" ctime(a) as b num(*) rmunit(c)`, `iplocation prefix=x_ allfields=true source.ip`,
		`newterms a, b over 14d`, `missing by host.name over 7d`, `missing over 1h`, `spike by f factor=3 baseline=24h seasonal=7d min=10`,
		`changed f g by k`, `changed f by k over 30d`, `changed f over 1h`, `sequence by k maxspan=5m [A] [B:1] with runs=3 ![C] until [D]`,
	} {
		q := parse(t, "* | "+in)
		again := parse(t, q.String())
		if diff := cmp.Diff(q, again, sameTree); diff != "" {
			t.Errorf("%s printed as %s differs:\n%s", in, q, diff)
		}
		if q.Pipes[0].Name() == "" || q.Pipes[0].Span().End != len("* | "+in) {
			t.Errorf("%s: name %q, span %v", in, q.Pipes[0].Name(), q.Pipes[0].Span())
		}
	}
}

func TestSortSignsBelongToTheirField(t *testing.T) {
	s := parse(t, "| sort - a, b, + c d desc").Pipes[0].(*pipe.Sort)
	var got []string
	for _, k := range s.Keys {
		got = append(got, k.String())
	}
	if want := "-a b c -d"; strings.Join(got, " ") != want {
		t.Errorf("keys are %v, want %s", got, want)
	}
}

func TestMistakesAreShownAtTheirPlace(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		_, err := pipe.Parse(in)
		if err == nil {
			t.Errorf("%s: no error", in)
			return
		}
		if got := err.Error(); got != want {
			t.Errorf("%s\n got:\n%s\nwant:\n%s", in, got, want)
		}
	}
	f(`host.name: web* | stats cuont by user`, `column 25: unknown aggregate "cuont"
  host.name: web* | stats cuont by user
                          ~~~~~
  try: count`)
	f(`* | staats count`, `column 5: unknown command "staats"
  * | staats count
      ~~~~~~
  try: stats`)
	f(`* | where lenn(a) > 1 | sort`, `column 11: unknown function "lenn"
  * | where lenn(a) > 1 | sort
            ~~~~
  try: len
column 29: a field to sort by is missing; found the end of the query
  * | where lenn(a) > 1 | sort
                              ^`)
	f(`* | top limt=5 a`, `column 9: top has no option "limt"
  * | top limt=5 a
          ~~~~
  try: limit`)
	f(`* | where a . b = 1`, `column 13: between two names a dot is a path, not a join
  * | where a . b = 1
              ^
  try: concat(a, b) to join them, a.b for the field`)
	f(`* | count by "é" |`, `column 19: a command is missing after this |; found the end of the query
  * | count by "é" |
                    ^`)
	f(`a and [b | count`, `column 7: this bracket is never closed
  a and [b | count
        ^`)
	f("* |\n  rex \"(?=x)\"", "line 2, column 7: bad regular expression: (?= is not supported: regular expressions are RE2, which always takes linear time\n    rex \"(?=x)\"\n        ~~~~~~~\n  try: match both parts, or exclude with a second pipe")
	f(`* | count, count`, `column 12: two columns would be called "count"
  * | count, count
             ~~~~~
  try: count as another_name`)
	f(`* | where if(a, 1)`, `column 11: if takes 3 arguments, not 2
  * | where if(a, 1)
            ~~~~~~~~
  try: if(a > 1, "yes", "no")`)
	f(`* | stats count over 5`, `column 22: the window after over must be a duration (ms s m h d w); found "5"
  * | stats count over 5
                       ^
  try: 5m, 2h, 14d`)
}

func TestNoTextPanics(t *testing.T) {
	for _, in := range []string{
		"|", "[", "]", "| search [", "\\", "a:\\", `"`, "| rex \"", "| where (", strings.Repeat("(", 1e5), strings.Repeat("[", 1e5),
		"| where " + strings.Repeat("(", 1e5), "| where " + strings.Repeat("not ", 1e5), "| where " + strings.Repeat("-", 1e5), "from a,", "| sort -", "| eval", "| eval =", "| top limit=",
	} {
		if _, err := pipe.Parse(in); err != nil {
			var e *pipe.Error
			if !errors.As(err, &e) {
				t.Errorf("%.20q: error of type %T", in, err)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	f := func(word, want string) {
		t.Helper()
		if got := pipe.Nearest(word, pipe.Commands()); got != want {
			t.Errorf("nearest to %s is %q, want %q", word, got, want)
		}
	}
	f("evla", "eval")
	f("dedupe", "dedup")
	f("zzzzzz", "")
}

// genExpr draws expressions of every form.
func genExpr(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		leaf := []string{"a", "a.b", "@timestamp", "`x y`", "'q\\'r'", "1", "2.50", "1e3", `"s"`, `"\d\"\\"`, "true", "null", "now()"}
		if depth == 0 {
			return rapid.SampledFrom(leaf).Draw(t, "leaf")
		}
		sub := func() string { return genExpr(depth-1).Draw(t, "sub") }
		switch rapid.IntRange(0, 8).Draw(t, "form") {
		case 0:
			return "(" + sub() + ")"
		case 1:
			return "-(" + sub() + ")"
		case 2:
			return "not (" + sub() + ")"
		case 3:
			return "if(" + sub() + "," + sub() + ", " + sub() + ")"
		case 4:
			return "(" + sub() + ") in (" + sub() + ", " + sub() + ")"
		case 5:
			return "(" + sub() + ") not like " + `"a%"`
		case 6, 7:
			op := rapid.SampledFrom([]string{"+", "-", "*", "/", "%", "and", "OR"}).Draw(t, "op")
			return "(" + sub() + ") " + op + " (" + sub() + ")"
		}
		op := rapid.SampledFrom([]string{"=", "==", "!=", "<", "<=", ">", ">="}).Draw(t, "op")
		return "(" + sub() + ")" + op + "(" + sub() + ")"
	})
}

func TestParseOfPrintIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		field := rapid.SampledFrom([]string{"a", "user.name", "@timestamp", "`odd name`", `"with \" quote"`, "'by'", "a-b", "_time"})
		var b strings.Builder
		b.WriteString(rapid.SampledFrom([]string{"", "*", "a:1", `from x,y* `, "a:1 and [from q b | fields c]", `x:"|[" `}).Draw(t, "filter"))
		for range rapid.IntRange(1, 4).Draw(t, "pipes") {
			fl := func() string { return field.Draw(t, "field") }
			e := func() string { return genExpr(3).Draw(t, "expr") }
			switch rapid.IntRange(0, 9).Draw(t, "pipe") {
			case 0:
				fmt.Fprintf(&b, "| where %s", e())
			case 1:
				fmt.Fprintf(&b, "| eval %s = %s, %s=%s", fl(), e(), fl(), e())
			case 2:
				fmt.Fprintf(&b, "| stats count, sum(%s) as s, dc(eval(%s)) as d by %s over 5m", fl(), e(), fl())
			case 3:
				fmt.Fprintf(&b, "| sort - %s, %s", fl(), fl())
			case 4:
				fmt.Fprintf(&b, "| rename %s as %s", fl(), fl())
			case 5:
				fmt.Fprintf(&b, "| timechart span=5m avg(%s) as x by %s", fl(), "host")
			case 6:
				fmt.Fprintf(&b, "| join %s [ * | fields %s | append [ z ] ]", fl(), fl())
			case 7:
				fmt.Fprintf(&b, "| streamstats reset_before=(%s) count by %s", e(), fl())
			case 8:
				fmt.Fprintf(&b, "| transaction %s endswith=eval(%s)", fl(), e())
			case 9:
				fmt.Fprintf(&b, "| lookup t %s as %s OUTPUTNEW %s", fl(), fl(), fl())
			}
		}
		q, err := pipe.Parse(b.String())
		if err != nil {
			if strings.Contains(err.Error(), "a dot is a path") {
				return
			}
			t.Fatalf("%s:\n%v", b.String(), err)
		}
		again, err := pipe.Parse(q.String())
		if err != nil {
			t.Fatalf("%s\nprinted %s:\n%v", b.String(), q, err)
		}
		if diff := cmp.Diff(q, again, sameTree); diff != "" {
			t.Fatalf("%s\nprinted %s differs:\n%s", b.String(), q, diff)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`a:1 and [from x b | fields c] | count by d over 5m | search count > 10`, `| eval a="x\"" . 'b c' % 2, d=if(e,1,2)`,
		`| rex mode=sed field=a "s/x/y/g2"`, `| sequence by k maxspan=5m [A] ![B] until [C]`, `| transaction a startswith=(b:"x")`,
		`| top 5 a,b by c countfield="n o"`, `| bin bins=3 x as y | fillnull value=-0.1`, `from a earliest=-1d@d x | lookup t a as b OUTPUT c`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := pipe.Parse(text)
		if err != nil {
			_ = err.Error()
			return
		}
		again, err := pipe.Parse(q.String())
		if err != nil {
			t.Fatalf("%q printed %q:\n%v", text, q.String(), err)
		}
		if diff := cmp.Diff(q, again, sameTree); diff != "" {
			t.Fatalf("%q printed %q differs:\n%s", text, q.String(), diff)
		}
	})
}
