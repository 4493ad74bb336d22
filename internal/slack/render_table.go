package slack

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tocsin/internal/notice"
)

const (
	tableWide = 72 // cells of a code block that a window of usual size shows without wrapping
	tableRows = 15
	tableMost = 2800 // characters of a code block, below a section's limit
	cellMost  = 40   // cells of one column
	barWide   = 16
)

// cells counts how much room a text takes where all letters are of one width.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x1100:
		return 1
	case r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f,
		r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// clip tidies foreign text for a cell so many cells wide. It escapes nothing.
func clip(s string, most int) string {
	s = tidy(s)
	if cells(s) <= most {
		return s
	}
	var b strings.Builder
	used := 0
	for _, r := range s {
		if used += runeCells(r); used > most-1 {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " \u200c\u200d") + "…"
}

// grid is rows of cells that are already tidy.
type grid struct {
	head  []string
	rows  [][]string
	right []bool // columns of numbers
	tail  string // a line below, such as "and 14 more"
}

// text aligns the columns, within tableWide. What does not fit is cut.
func (g *grid) text() string {
	wide := make([]int, len(g.head))
	measure := func(row []string) {
		for i, c := range row {
			wide[i] = min(max(wide[i], cells(c)), cellMost)
		}
	}
	measure(g.head)
	for _, row := range g.rows {
		measure(row)
	}
	for over := sum(wide) + 2*(len(wide)-1) - tableWide; over > 0; over-- { // the widest column of words gives way
		widest := -1
		for i, w := range wide {
			if !g.right[i] && (widest < 0 || w > wide[widest]) {
				widest = i
			}
		}
		if widest < 0 || wide[widest] <= 4 {
			widest = slices.Index(wide, slices.Max(wide))
		}
		wide[widest]--
	}
	var b strings.Builder
	line := func(row []string) string {
		var l strings.Builder
		for i, c := range row {
			c = clip(c, wide[i])
			pad := strings.Repeat(" ", wide[i]-cells(c))
			if i > 0 {
				l.WriteString("  ")
			}
			if g.right[i] {
				l.WriteString(pad + c)
			} else {
				l.WriteString(c + pad)
			}
		}
		return strings.TrimRight(l.String(), " ")
	}
	if slices.ContainsFunc(g.head, func(s string) bool { return s != "" }) {
		b.WriteString(line(g.head) + "\n")
	}
	for _, row := range g.rows {
		b.WriteString(line(row) + "\n")
	}
	b.WriteString(g.tail)
	return strings.TrimRight(b.String(), "\n")
}

func sum(list []int) int {
	n := 0
	for _, v := range list {
		n += v
	}
	return n
}

// block is the grid as mrkdwn's preformatted text, with as many of its rows as fit.
func (g *grid) block(most int, count func(left int) string) string {
	for {
		body := coding.Replace(g.text())
		if width(body)+8 <= most || len(g.rows) == 0 {
			if body == "" {
				return ""
			}
			return "```\n" + body + "\n```"
		}
		g.rows = g.rows[:len(g.rows)-1]
		g.tail = count(len(g.rows))
	}
}

// coding escapes tidy text for preformatted mrkdwn.
var coding = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "ˋ")

// rowsBlock is a table of a search's rows, in at most so many characters.
func rowsBlock(t *notice.Table, most int) string {
	if t == nil || len(t.Columns) == 0 || len(t.Rows) == 0 {
		return ""
	}
	columns := t.Columns[:min(len(t.Columns), 8)]
	g := &grid{right: make([]bool, len(columns))}
	for i, name := range columns {
		g.head = append(g.head, clip(name, cellMost))
		g.right[i] = true
		for _, row := range t.Rows {
			if i < len(row) && row[i] != "" && !numeral(row[i]) {
				g.right[i] = false
			}
		}
	}
	for _, row := range t.Rows[:min(len(t.Rows), tableRows)] {
		line := make([]string, len(columns))
		for i := range columns {
			if i < len(row) {
				line[i] = clip(row[i], cellMost)
			}
			if line[i] == "" {
				line[i] = "–"
			}
		}
		g.rows = append(g.rows, line)
	}
	count := func(shown int) string {
		if rest := max(t.Total, len(t.Rows)) - shown; rest > 0 {
			return "and " + number(rest) + " more"
		}
		return ""
	}
	g.tail = count(len(g.rows))
	return g.block(min(most, tableMost), count)
}

func numeral(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// topBlock shows the most frequent values of a field as bars.
func topBlock(t notice.Top, all, most int) string {
	most = min(most, tableMost)
	if t.Over > 0 {
		all = t.Over
	}
	g := &grid{head: []string{clip(t.Field, cellMost), "", "alerts"}, right: []bool{false, false, true}}
	highest, shown := 1, 0
	values := t.Values[:min(len(t.Values), tableRows)]
	for _, v := range values {
		highest = max(highest, v.Count)
	}
	for _, v := range values {
		name := clip(v.Value, cellMost)
		if name == "" {
			name = "(empty)"
		}
		g.rows = append(g.rows, []string{name, bar(v.Count, highest), number(v.Count)})
		shown += v.Count
	}
	rest := max(t.Distinct, len(t.Values)) - len(values)
	count := func(left int) string {
		more, alerts := rest+len(values)-left, all
		for _, v := range values[:left] {
			alerts -= v.Count
		}
		switch {
		case more <= 0:
			return ""
		case alerts <= 0:
			return "and " + number(more) + " more"
		}
		return "and " + number(more) + " more with " + counted(alerts, "alert")
	}
	g.tail = count(len(g.rows))
	if len(g.rows) == 0 {
		return ""
	}
	return g.block(most, count)
}

// bar draws a share in eighths of a cell.
func bar(n, of int) string {
	eighths := int(math.Round(float64(max(n, 0)) / float64(max(of, 1)) * barWide * 8))
	eighths = min(max(eighths, 1), barWide*8)
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s
}

const sparkMost = 32

// spark draws a chart in one line of text.
func spark(c *notice.Chart) string {
	if c == nil || len(c.Points) < 2 {
		return ""
	}
	values := make([]float64, 0, sparkMost)
	points := c.Points
	per := (len(points) + sparkMost - 1) / sparkMost
	for len(points) > 0 { // of several windows the one that fires most is drawn
		n := min(per, len(points))
		v := points[0].Value
		for _, p := range points[1:n] {
			if c.Below {
				v = min(v, p.Value)
			} else {
				v = max(v, p.Value)
			}
		}
		values = append(values, v)
		points = points[n:]
	}
	low, high := min(0, slices.Min(values)), slices.Max(values)
	if c.Threshold != nil && finite(*c.Threshold) {
		high = max(high, *c.Threshold)
	}
	var b strings.Builder
	for _, v := range values {
		level := 0
		if high > low && finite(v) {
			level = min(max(int((v-low)/(high-low)*7.999), 0), 7)
		}
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[level])
	}
	return b.String()
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// measure writes a chart's value.
func measure(f float64) string {
	switch {
	case !finite(f):
		return "–"
	case f == math.Trunc(f) && math.Abs(f) < 1e9:
		return number(int(f))
	case math.Abs(f) >= 1e9 || math.Abs(f) < 0.01:
		return strconv.FormatFloat(f, 'g', 3, 64)
	}
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}

// sparkLine is a chart as a line of a message: how it went, its value when it fired, else the last, and the bound.
func sparkLine(c *notice.Chart) string {
	drawn := spark(c)
	if drawn == "" {
		return ""
	}
	first, last := c.Points[0], c.Points[len(c.Points)-1]
	name := inline(c.Title, labelMost)
	if name == "" {
		name = "value"
	}
	value := last.Value
	if c.Fired != nil {
		value = c.Fired.Value
	}
	parts := []string{"`" + drawn + "`", name + " *" + measure(value) + "*"}
	if c.Threshold != nil && finite(*c.Threshold) {
		parts = append(parts, "limit "+measure(*c.Threshold))
	}
	if when := period(first.At, last.At); when != "" {
		parts = append(parts, when)
	}
	return strings.Join(parts, "  ·  ")
}
