package notice

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
)

const (
	columnsMost = 6   // of a table
	rowsMost    = 30  // of a table, of those its document keeps
	pointsMost  = 120 // of a chart
)

// own is what an alert's document holds under a name of ours: the rows of a run, and a measure over time.
type own struct {
	Tocsin struct {
		Rows    []json.RawMessage `json:"rows"`
		Count   int               `json:"count"` // of all rows
		Samples []struct {
			Source json.RawMessage `json:"_source"`
		} `json:"samples"`
		Series *struct {
			Title     string       `json:"title"`
			Points    [][2]float64 `json:"points"` // milliseconds since 1970 and the value
			Fired     *[2]float64  `json:"fired"`
			Threshold *float64     `json:"threshold"`
			Below     bool         `json:"below"`
			Inclusive bool         `json:"inclusive"`
		} `json:"series"`
	} `json:"tocsin"`
}

// evidence reads what an alert of ours carries beside its fields. Rows that tell a time and one number are a
// chart too.
func evidence(document json.RawMessage) (*Table, *Chart) {
	if !bytes.Contains(document, []byte(`"tocsin"`)) {
		return nil, nil
	}
	var o own
	if json.Unmarshal(document, &o) != nil {
		return nil, nil
	}
	rows := flattened(o.Tocsin.Rows)
	table := tableOf(rows, max(o.Tocsin.Count, len(rows)))
	if s := o.Tocsin.Series; s != nil {
		c := &Chart{Title: s.Title, Threshold: s.Threshold, Below: s.Below, Inclusive: s.Inclusive}
		for _, p := range s.Points {
			if one, ok := pointOf(p); ok {
				c.Points = append(c.Points, one)
			}
		}
		if s.Fired != nil {
			if one, ok := pointOf(*s.Fired); ok {
				c.Fired = &one
			}
		}
		return table, c.tidy()
	}
	return table, chartOf(rows)
}

// pointOf is a point as a document has it; ok is false for one that is nowhere.
func pointOf(p [2]float64) (Point, bool) {
	at, value := p[0], p[1]
	if !finite(at) || !finite(value) || math.Abs(at) >= 1e15 {
		return Point{}, false
	}
	return Point{time.UnixMilli(int64(at)).UTC(), value}, true
}

// rowsOf are the rows of a run that a document keeps.
func rowsOf(document json.RawMessage) []alert.Fields {
	var o own
	if !bytes.Contains(document, []byte(`"tocsin"`)) || json.Unmarshal(document, &o) != nil {
		return nil
	}
	return flattened(o.Tocsin.Rows)
}

// sampled are the values of the documents that are kept with an alert of many: some of the newest.
func sampled(document json.RawMessage) alert.Fields {
	var o own
	if !bytes.Contains(document, []byte(`"samples"`)) || json.Unmarshal(document, &o) != nil {
		return nil
	}
	all := alert.Fields{}
	for _, one := range o.Tocsin.Samples {
		fields, err := alert.Flatten(one.Source)
		if err != nil {
			continue
		}
		for name, values := range fields {
			all[name] = append(all[name], values...)
		}
	}
	return all
}

// flattened are rows without what we keep beside them.
func flattened(raw []json.RawMessage) []alert.Fields {
	var rows []alert.Fields
	for _, one := range raw {
		row, err := alert.Flatten(one)
		if err != nil {
			continue
		}
		for name := range row {
			if strings.HasPrefix(name, "tocsin.") {
				delete(row, name)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// tidy orders the points and keeps the newest; a chart of fewer than two is none.
func (c *Chart) tidy() *Chart {
	slices.SortStableFunc(c.Points, func(a, b Point) int { return a.At.Compare(b.At) })
	if over := len(c.Points) - pointsMost; over > 0 {
		c.Points = c.Points[over:]
	}
	if len(c.Points) < 2 {
		return nil
	}
	return c
}

// tableOf lays rows out. A document's key order is lost, so the columns are ordered as people read them: when,
// what the row is of, then its numbers. Of the many fields of whole documents the usual ones are shown.
func tableOf(rows []alert.Fields, total int) *Table {
	if len(rows) == 0 {
		return nil
	}
	names := map[string]bool{}
	for _, row := range rows {
		for name := range row {
			names[name] = true
		}
	}
	var columns []string
	if len(names) <= columnsMost {
		for name := range names {
			columns = append(columns, name)
		}
	} else {
		for _, name := range usual {
			if names[name] && len(columns) < columnsMost {
				columns = append(columns, name)
			}
		}
		if len(columns) == 0 {
			for name := range names {
				columns = append(columns, name)
			}
			slices.Sort(columns)
			columns = columns[:columnsMost]
		}
	}
	weight := func(name string) int {
		switch {
		case slices.ContainsFunc(rows, func(r alert.Fields) bool { return isTime(r[name]) }):
			return 0
		case slices.ContainsFunc(rows, func(r alert.Fields) bool { return r[name] != nil && !isNumber(r[name]) }):
			return 1
		}
		return 2
	}
	slices.SortFunc(columns, func(a, b string) int { return cmp.Or(weight(a)-weight(b), strings.Compare(a, b)) })
	t := &Table{Columns: columns, Total: total}
	for _, row := range rows[:min(len(rows), rowsMost)] {
		line := make([]string, len(columns))
		for i, name := range columns {
			line[i] = cell(row[name])
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// usual are the fields of documents that a table shows first.
var usual = func() []string {
	out := []string{"@timestamp", "host.name", "user.name"}
	for _, line := range habit {
		out = append(out, line...)
	}
	return append(out, "message")
}()

func cell(values []any) string {
	if isTime(values) {
		if at, err := time.Parse(time.RFC3339Nano, alert.Text(values[0])); err == nil {
			return at.UTC().Format("01-02 15:04:05")
		}
	}
	if n, ok := numberOf(values); ok && n != math.Trunc(n) {
		return strconv.FormatFloat(math.Round(n*100)/100, 'f', -1, 64)
	}
	return spelt("", values)
}

func isTime(values []any) bool {
	if len(values) != 1 {
		return false
	}
	s, ok := values[0].(string)
	if !ok || len(s) < 20 || s[4] != '-' {
		return false
	}
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

func isNumber(values []any) bool {
	_, ok := numberOf(values)
	return ok
}

func numberOf(values []any) (float64, bool) {
	if len(values) != 1 {
		return 0, false
	}
	n, ok := values[0].(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil && finite(f)
}

// chartOf draws rows that tell one time and one number each, as a search per bin of time does.
func chartOf(rows []alert.Fields) *Chart {
	if len(rows) < 2 {
		return nil
	}
	when, what := "", ""
	for name, values := range rows[0] {
		switch {
		case isTime(values) && when == "":
			when = name
		case isNumber(values) && what == "":
			what = name
		default:
			return nil // more than one line
		}
	}
	if when == "" || what == "" {
		return nil
	}
	c := &Chart{Title: what}
	for _, row := range rows {
		n, ok := numberOf(row[what])
		if !ok || !isTime(row[when]) {
			return nil
		}
		at, err := time.Parse(time.RFC3339Nano, alert.Text(row[when][0]))
		if err != nil {
			return nil
		}
		c.Points = append(c.Points, Point{at.UTC(), n})
	}
	return c.tidy()
}
