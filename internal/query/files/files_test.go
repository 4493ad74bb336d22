package files_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/internal/query/files"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// read gives the rows of a file as NDJSON, or the error.
func read(t *testing.T, in files.Input, fields ...string) string {
	t.Helper()
	s := row.NewSchema()
	var out []byte
	b := &files.Backend{Main: in}
	_, err := b.Rows(context.Background(), plan.Read{TimeField: "@timestamp", Fields: fields}, plan.Pushed{}, s, func(r *row.Row) error {
		out = append(row.AppendRow(out, s.Names(), r.Vals), '\n')
		return nil
	})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(out)
}

func file(t *testing.T, name, content string) files.Input {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return files.Input{Path: path}
}

func TestEveryFormGivesTheSameRows(t *testing.T) {
	want := `{"a":1,"b.c":"x"}` + "\n" + `{"a":null,"b.c":"y"}` + "\n"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, `{"a":1,"b":{"c":"x"}}`+"\n"+`{"b.c":"y"}`)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.ndjson":    `{"a":1,"b":{"c":"x"}}` + "\r\n\n" + `{"b.c":"y"}` + "\n",
		"bom.json":    "\xef\xbb\xbf" + `{"a":1,"b":{"c":"x"}}` + "\n" + `{"b.c":"y"}`,
		"array.json":  "\n [ {\"a\":1,\"b\":{\"c\":\"x\"}},\n{\"b.c\":\"y\"} ]",
		"a.ndjson.gz": zipped.String(),
	} {
		if got := read(t, file(t, name, content), "a", "b.c"); got != want {
			t.Errorf("%s gives %s", name, got)
		}
	}
	if got, want := read(t, file(t, "a.csv", "a,b.c\n1,x\n,y\n"), "a", "b.c"), strings.Replace(want, "1", `"1"`, 1); got != want {
		t.Errorf("csv gives %s", got)
	}
}

func TestStandardInputCanBeReadTwice(t *testing.T) {
	b := &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(`{"a":1}`)}}
	for range 2 {
		n := 0
		_, err := b.Rows(context.Background(), plan.Read{}, plan.Pushed{}, row.NewSchema(), func(*row.Row) error { n++; return nil })
		if err != nil || n != 1 {
			t.Errorf("%d rows, error %v", n, err)
		}
	}
}

func TestLinesLongerThanAChunk(t *testing.T) {
	long := strings.Repeat("x", 700<<10)
	got := read(t, file(t, "a.ndjson", `{"a":"1"}`+"\n"+`{"a":"`+long+`"}`+"\n"+`{"a":"3"}`), "a")
	if want := `{"a":"1"}` + "\n" + `{"a":"` + long + `"}` + "\n" + `{"a":"3"}` + "\n"; got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

func TestBrokenFilesAreErrorsWithTheirPlace(t *testing.T) {
	f := func(in files.Input, want string) {
		t.Helper()
		if got := read(t, in); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(file(t, "a.ndjson", "{}\n{\"a\":tru}\n"), "a.ndjson:2: not JSON at byte 6")
	f(file(t, "a.json", "[{},5]"), "a.json:2: not JSON")
	f(file(t, "a.json", "[{},"), "a.json: not JSON")
	f(file(t, "a.csv", "a,b\n1\n"), "a.csv")
	f(files.Input{Path: filepath.Join(t.TempDir(), "no")}, "no such file")
}

func TestReadTable(t *testing.T) {
	columns, rows, err := files.ReadTable(file(t, "t.csv", "\xef\xbb\xbfk,v\n007,\n\"a,b\",2\n").Path)
	if err != nil || fmt.Sprint(columns) != "[k v]" || len(rows) != 2 || rows[0][0].Str() != "007" || !rows[0][1].IsNull() || rows[1][1].Kind() != row.String {
		t.Errorf("%v %v %v", columns, rows, err)
	}
	columns, rows, err = files.ReadTable(file(t, "t.ndjson", "{\"k\":7}\n{\"v\":{\"w\":1}}\n").Path)
	if err != nil || fmt.Sprint(columns) != "[k v.w]" || len(rows[0]) != 2 || rows[1][1].Int() != 1 {
		t.Errorf("%v %v %v", columns, rows, err)
	}
	for _, content := range []string{"", "a,a\n", "a,b\n1\n"} {
		if _, _, err := files.ReadTable(file(t, "t.csv", content).Path); err == nil {
			t.Errorf("%q: no error", content)
		}
	}
}
