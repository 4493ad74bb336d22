package files

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"tocsin/internal/row"
)

// ReadTable reads a lookup table: CSV with a header, whose values are text, or NDJSON.
func ReadTable(path string) (columns []string, rows [][]row.Value, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if strings.HasSuffix(strings.ToLower(path), ".csv") {
		return readCSV(path, text)
	}
	schema := row.NewSchema()
	extract := row.NewExtractor(schema, nil)
	for i, line := range strings.Split(string(text), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		vals, err := extract.Extract(line, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		rows = append(rows, vals)
	}
	for i := range rows {
		for len(rows[i]) < schema.Len() {
			rows[i] = append(rows[i], row.Value{})
		}
	}
	return schema.Names(), rows, nil
}

func readCSV(path string, text []byte) (columns []string, rows [][]row.Value, err error) {
	c := csv.NewReader(bytes.NewReader(text))
	columns, err = c.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%s: a lookup table needs a header line", path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	for i, n := range columns {
		if slices.Index(columns, n) != i {
			return nil, nil, fmt.Errorf("%s: two columns are called %q", path, n)
		}
	}
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return columns, rows, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		vals := make([]row.Value, len(record))
		for i, s := range record {
			if s != "" {
				vals[i] = row.NewString(s)
			}
		}
		rows = append(rows, vals)
	}
}
