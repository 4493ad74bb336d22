package app

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"tocsin/internal/query"
	"tocsin/internal/row"
)

// resultPrinter prints an answer: ndjson and csv as rows come, table and json at the end.
type resultPrinter struct {
	format string
	raw    bool
	out    *bufio.Writer
	names  []string
	csv    *csv.Writer
	table  *tabwriter.Writer
	rows   int
	line   []byte
}

func newResultPrinter(out io.Writer, format string, raw bool) *resultPrinter {
	p := &resultPrinter{format: format, raw: raw, out: bufio.NewWriterSize(out, 64<<10)}
	switch format {
	case "csv":
		p.csv = csv.NewWriter(p.out)
	case "table":
		p.table = tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	}
	return p
}

func (p *resultPrinter) sink() query.Sink { return query.Sink{Columns: p.columns, Row: p.row} }

func (p *resultPrinter) columns(names []string) error {
	p.names = append([]string{}, names...)
	switch p.format {
	case "csv":
		return p.csv.Write(p.names)
	case "table":
		shown := make([]string, len(names))
		for i, n := range names {
			shown[i] = cell(n)
		}
		_, err := fmt.Fprintln(p.table, strings.Join(shown, "\t"))
		return err
	}
	return nil
}

func (p *resultPrinter) row(r *row.Row) error {
	p.rows++
	switch p.format {
	case "csv", "table":
		cells := make([]string, len(p.names))
		for i := range cells {
			cells[i] = r.Get(i).Text()
			if p.format == "table" {
				cells[i] = cell(cells[i])
			}
		}
		if p.csv != nil {
			return p.csv.Write(cells)
		}
		_, err := fmt.Fprintln(p.table, strings.Join(cells, "\t"))
		return err
	}
	p.line = p.line[:0]
	if p.format == "json" {
		if p.rows == 1 {
			p.line = append(p.line, `{"rows":[`...)
		} else {
			p.line = append(p.line, ',')
		}
		p.line = append(p.line, '\n')
	}
	if p.raw {
		p.line = append(p.line, r.Doc.JSON...)
	} else {
		p.line = row.AppendRow(p.line, p.names, r.Vals)
	}
	if p.format == "ndjson" {
		p.line = append(p.line, '\n')
	}
	_, err := p.out.Write(p.line)
	return err
}

// end prints what is left.
func (p *resultPrinter) end(o *query.Outcome) error {
	switch p.format {
	case "csv":
		p.csv.Flush()
		if err := p.csv.Error(); err != nil {
			return err
		}
	case "table":
		if err := p.table.Flush(); err != nil {
			return err
		}
	case "json":
		if p.rows == 0 {
			p.out.WriteString(`{"rows":[`) //nolint:errcheck // told by Flush
		}
		rest, err := json.Marshal(struct {
			Columns  []row.Column `json:"columns"`
			Exact    bool         `json:"exact"`
			Inexact  []string     `json:"inexact,omitempty"`
			Warnings []string     `json:"warnings"`
			Cost     any          `json:"cost"`
		}{append([]row.Column{}, o.Columns...), len(o.Inexact) == 0, o.Inexact, append([]string{}, o.Warnings...), o.Cost})
		if err != nil {
			return err
		}
		p.out.WriteString("\n],") //nolint:errcheck // told by Flush
		p.out.Write(rest[1:])     //nolint:errcheck // told by Flush
		p.out.WriteString("\n")   //nolint:errcheck // told by Flush
	}
	return p.out.Flush()
}

// maxCell is how many characters of a value a table shows.
const maxCell = 80

// cell shows a value in one line of a terminal: control characters, which could be orders to it, are
// shown and not sent.
func cell(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxCell {
			b.WriteString("…")
			break
		}
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ':
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
