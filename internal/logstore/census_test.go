package logstore

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestShapes(t *testing.T) {
	for text, want := range map[string]shape{
		"": isEmpty, "ann": isText, "2024-07-01": isTimeText, "2024-07-01T10:00:00Z": isTimeText, "2024-07-41": isText, "10.0.0.1": isAddress,
		"::ffff:10.0.0.1": isOddAddress, "2001:DB8::1": isOddAddress, "2001:db8::1": isAddress, "fe80::1%eth0": isOddAddress, "10.0.0.0/8": isText,
		"face": isText, "5": isText,
	} {
		if got := textShape(text); got != want {
			t.Errorf("%q: %x, want %x", text, got, want)
		}
	}
	for text, want := range map[string]shape{
		"0": isInt, "1": isInt | 1<<kindBits, "-1": isInt | 1<<kindBits, "255": isInt | 8<<kindBits, "9007199254740992": isInt | 54<<kindBits,
		"9007199254740991": isInt | 53<<kindBits, "-0": isNumber, "1.0": isNumber, "1e3": isNumber, "9223372036854775808": isNumber,
		"-9223372036854775808": isInt | 64<<kindBits,
	} {
		if got := numberShape(text); got != want {
			t.Errorf("%s: %x, want %x", text, got, want)
		}
	}
}

// TestNumberShapeBoundsWholeNumbers: what is said to fit a double does.
func TestNumberShapeBoundsWholeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		s := numberShape(strconv.FormatInt(n, 10))
		if s.kinds() != isInt {
			t.Fatalf("%d is %x", n, s)
		}
		if b := s.bits(); b < 63 && (n >= 1<<b || n < -1<<b) {
			t.Fatalf("%d needs more than %d bits", n, b)
		}
		if s.bits() <= exactBits && int64(float64(n)) != n {
			t.Fatalf("%d does not fit a double", n)
		}
	})
}

// TestShapesOnlyGrow: adding is commutative, associative and idempotent, and covers tells it.
func TestShapesOnlyGrow(t *testing.T) {
	draw := func(t *rapid.T, name string) shape {
		return shape(rapid.Uint32Range(0, 1<<11-1).Draw(t, name)) | shape(rapid.Uint32Range(0, 64).Draw(t, name+" bits"))<<kindBits
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := draw(t, "a"), draw(t, "b"), draw(t, "c")
		if a.with(b) != b.with(a) || a.with(b).with(c) != a.with(b.with(c)) || a.with(a) != a {
			t.Fatal("not a union")
		}
		if !a.with(b).covers(a) || !a.with(b).covers(b) || a.covers(b) != (a.with(b) == a) {
			t.Fatal("covers is wrong")
		}
	})
}

func noted(day int64, name string, s shape) []event {
	return []event{{time: day * dayNanos, shapes: []shaped{{name, s}}}}
}

// TestCensusIsOnTheDisk: another process finds what was noted, a line that was cut off is not trusted, a
// day without a file or with a broken one is unknown, and days that are gone are forgotten.
func TestCensusIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	c, err := openCensus(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	odd := "a\n\"b\" ü"
	for _, e := range [][]event{noted(100, odd, isText), noted(100, odd, isInt|7<<kindBits), noted(101, "x", isBool)} {
		if err := c.note(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, dayName(101)), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`1 "y`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, dayName(103)), []byte("what\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, dayName(104)), []byte("1 \"gone\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = openCensus(dir, []string{dayName(100), dayName(101), dayName(102), dayName(103)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		day  int64
		name string
		want shape
		ok   bool
	}{
		{100, odd, isText | isInt | 7<<kindBits, true},
		{101, "x", isBool, true},
		{101, "y", 0, true},
		{102, "x", 0, false},
		{103, "x", 0, false},
		{104, "gone", 0, true},
	} {
		if k, ok := (view{c, tc.day, tc.day}).find(tc.name); k.shape != tc.want || ok != tc.ok {
			t.Errorf("day %d %s: %x %v, want %x %v", tc.day, tc.name, k.shape, ok, tc.want, tc.ok)
		}
	}
	if err := c.note(noted(101, "y", isBool)); err != nil {
		t.Fatal(err)
	}
	if err := c.keep([]string{dayName(101)}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range left {
		names = append(names, f.Name())
	}
	if got, want := strings.Join(names, " "), strings.Join([]string{dayName(101), dayName(103)}, " "); got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

// TestClaimsBreak: a search that relies on something hears of it when that is no longer so.
func TestClaimsBreak(t *testing.T) {
	c, err := openCensus(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := c.note(noted(100, "a", isText)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		events []event
		broken bool
	}{
		{"the same", noted(100, "a", isText), false},
		{"another field", noted(100, "b", isArray), false},
		{"another day", noted(200, "a", isInt), false},
		{"a field below", noted(100, "n.x", isText), true},
		{"another kind", noted(100, "a", isInt), true},
	} {
		k, ok := view{c, 99, 101}.claim(map[string]shape{"a": isText | anyBits<<kindBits}, []string{"n"})
		if !ok {
			t.Fatalf("%s: the claim does not hold", tc.name)
		}
		if err := c.note(tc.events); err != nil {
			t.Fatal(err)
		}
		if k.broken.Load() != tc.broken {
			t.Errorf("%s: broken %v", tc.name, !tc.broken)
		}
		c.release(k)
		if tc.broken {
			if err := c.close(); err != nil {
				t.Fatal(err)
			}
			if c, err = openCensus(t.TempDir(), nil); err != nil {
				t.Fatal(err)
			}
			if err := c.note(noted(100, "a", isText)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMarks: a row says which of its fields are not as they are in most rows of the day.
func TestMarks(t *testing.T) {
	c, err := openCensus(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	events := []event{
		{shapes: []shaped{{"a", isText}, {"b", isInt | 3<<kindBits}, {"o", isObject}}},
		{shapes: []shaped{{"a", isEmpty}, {"b", isNumber}, {"o", isObject}}},
		{shapes: []shaped{{"a", isArray}, {"a", isArray | isText}, {"b", isText}, {"o", isText}}},
		{time: dayNanos, shapes: []shaped{{"b", isText}}},
	}
	if err := c.note(events); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", ",a,", ",a,b,", ""} {
		got := ""
		for _, f := range events[i].columns {
			got += f.Value
		}
		if got != want {
			t.Errorf("event %d: %q, want %q", i, got, want)
		}
	}
	long := []event{{shapes: []shaped{{strings.Repeat("x", oddMost), isArray}}}}
	if err := c.note(long); err != nil {
		t.Fatal(err)
	}
	if len(long[0].columns) != 1 || long[0].columns[0].Value != oddAll {
		t.Errorf("the long list is %v", long[0].columns)
	}
}

func TestLoneSurrogates(t *testing.T) {
	for text, want := range map[string]bool{
		`"a"`: false, `"\ud83d\ude00"`: false, `"\uD83D\uDE00 \n"`: false, `"\ud83d"`: true, `"\ude00"`: true, `"\ud83d\ud83d\ude00"`: true, `"\\ud83d"`: false,
		`"\u00fc"`: false, `"\ud83dx\ude00"`: true, `"\`: false,
	} {
		if got := loneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
