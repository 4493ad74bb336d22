package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// formatOf checks a --format; empty is a table on a terminal and ndjson elsewhere.
func formatOf(p *process, format string) (string, error) {
	if format == "" {
		if isTerminal(p.stdout) {
			return "table", nil
		}
		return "ndjson", nil
	}
	if formats := []string{"table", "ndjson", "json", "csv"}; !slices.Contains(formats, format) {
		return "", wrongInput{fmt.Errorf("--format %q: there are %s", format, strings.Join(formats, ", "))}
	}
	return format, nil
}

// isTerminal reports whether what is written there is looked at as it comes.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// printer prints rows of named values in one of the formats. Missing values are null, or empty in
// tables and CSV.
type printer struct {
	format  string
	columns []string
	out     io.Writer
	table   *tabwriter.Writer
	csv     *csv.Writer
	rows    []json.RawMessage // of json, which is one object
}

func newPrinter(out io.Writer, format string, columns []string) *printer {
	p := &printer{format: format, columns: columns, out: out}
	switch format {
	case "table":
		p.table = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(p.table, strings.ToUpper(strings.Join(columns, "\t")))
	case "csv":
		p.csv = csv.NewWriter(out)
		p.csv.Write(columns) //nolint:errcheck // csv.Writer tells of errors when it is flushed
	}
	return p
}

func (p *printer) row(row map[string]any) error {
	switch p.format {
	case "table", "csv":
		cells := make([]string, len(p.columns))
		for i, name := range p.columns {
			if v := row[name]; v != nil {
				cells[i] = fmt.Sprint(v)
			}
			cells[i] = quoteLine(cells[i]) // CSV is looked at on terminals as well
			if p.format == "table" {
				cells[i] = cut(cells[i], 60)
			}
		}
		if p.csv != nil {
			return p.csv.Write(cells)
		}
		_, err := fmt.Fprintln(p.table, strings.Join(cells, "\t"))
		return err
	}
	var line strings.Builder
	line.WriteByte('{')
	for i, name := range p.columns {
		if i > 0 {
			line.WriteByte(',')
		}
		b, err := json.Marshal(row[name])
		if err != nil {
			return err
		}
		fmt.Fprintf(&line, "%q:%s", name, b)
	}
	line.WriteByte('}')
	if p.format == "json" {
		p.rows = append(p.rows, json.RawMessage(line.String()))
		return nil
	}
	_, err := fmt.Fprintln(p.out, line.String())
	return err
}

// end prints what is left.
func (p *printer) end() error {
	switch p.format {
	case "table":
		return p.table.Flush()
	case "csv":
		p.csv.Flush()
		return p.csv.Error()
	case "json":
		rows := p.rows
		if rows == nil {
			rows = []json.RawMessage{}
		}
		return json.NewEncoder(p.out).Encode(struct {
			Columns []string          `json:"columns"`
			Rows    []json.RawMessage `json:"rows"`
		}{p.columns, rows})
	}
	return nil
}

// cut shortens text to n characters.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
