package plan

import (
	"regexp"
	"slices"

	"tocsin/internal/query/pipe"
)

// step compiles one pipe that is given the columns in.
func (c *compiler) step(p pipe.Pipe, in Columns, q *Query, first bool) *Step {
	s := &Step{Pipe: p, In: in, Out: in}
	switch p := p.(type) {
	case *pipe.Search:
		s.Filter = c.filter(p.Filter, q)
		c.knownFilter(s.Filter, in, p)
	case *pipe.Where:
		c.knownExpr(p.Expr, in)
	case *pipe.Eval:
		for _, set := range p.Sets {
			c.knownExpr(set.Expr, s.Out)
			s.Out = s.Out.with(set.Field.Name)
		}
	case *pipe.Fields:
		s.Out = c.keep(p.Fields, p.Drop, in, q)
	case *pipe.Table:
		s.Out = c.keep(p.Fields, false, in, q)
	case *pipe.Rename:
		s.Out = c.rename(p, in)
	case *pipe.Sort:
		c.knownKeys(p.Keys, in)
	case *pipe.Dedup:
		c.known(p.Fields, in)
		c.knownKeys(p.SortBy, in)
	case *pipe.Stats:
		c.knownAggs(p.Aggs, in)
		s.Out = Columns{Names: append(c.knownBy(p.By, in), columnsOf(p.Aggs)...)}
		if !p.Over.IsZero() {
			c.timed(p, in)
		}
	case *pipe.Top:
		c.known(p.Fields, in)
		c.known(p.By, in)
		s.Out = Columns{Names: append(namesOf(p.By), namesOf(p.Fields)...)}
		if p.ShowCount {
			s.Out.Names = append(s.Out.Names, p.CountField)
		}
		if p.ShowPerc {
			s.Out.Names = append(s.Out.Names, p.PercentField)
		}
	case *pipe.Bin:
		if p.Field.Name == "" {
			c.timed(p, in)
		} else {
			c.known([]pipe.Field{p.Field}, in)
		}
		s.Out = in.with(c.binTarget(p, in))
	case *pipe.TimeChart:
		c.timed(p, in)
		c.knownAggs(p.Aggs, in)
		s.Out = Columns{Names: []string{c.options.TimeField}}
		if p.By != nil {
			c.known([]pipe.Field{*p.By}, in)
			s.Out = s.Out.with(p.By.Name)
		}
		s.Out = s.Out.with(columnsOf(p.Aggs)...)
	case *pipe.Chart:
		c.knownAggs(p.Aggs, in)
		s.Out = Columns{Names: c.knownBy([]pipe.By{p.Over}, in)}
		if p.By != nil {
			c.knownBy([]pipe.By{*p.By}, in)
			s.Out.Open, s.Out.First = true, true
		} else {
			s.Out = s.Out.with(columnsOf(p.Aggs)...)
		}
	case *pipe.EventStats:
		c.knownAggs(p.Aggs, in)
		c.knownBy(p.By, in)
		s.Out = in.with(columnsOf(p.Aggs)...)
	case *pipe.StreamStats:
		c.knownAggs(p.Aggs, in)
		c.knownBy(p.By, in)
		s.Out = in.with(columnsOf(p.Aggs)...)
		for _, e := range []pipe.Expr{p.ResetBefore, p.ResetAfter} {
			if e != nil {
				c.knownExpr(e, s.Out)
			}
		}
		if !p.TimeWindow.IsZero() {
			c.timed(p, in)
		}
	case *pipe.FillNull:
		s.Out = in.with(namesOf(p.Fields)...)
	case *pipe.Rex:
		c.knownOrMessage(p.Field, p, in)
		if re, err := regexp.Compile(p.Pattern); err == nil && p.Sed == nil {
			for _, n := range re.SubexpNames() {
				if n != "" {
					s.Out = s.Out.with(n)
				}
			}
		}
	case *pipe.Regex:
		c.knownOrMessage(p.Field, p, in)
	case *pipe.Replace:
		c.known(p.Fields, in)
	case *pipe.Spath:
		c.knownOrMessage(p.Input, p, in)
		switch {
		case p.Output != "":
			s.Out = in.with(p.Output)
		case p.Path != "":
			s.Out = in.with(p.Path)
		default:
			s.Out.Open = true
		}
	case *pipe.MvExpand:
		c.known([]pipe.Field{p.Field}, in)
	case *pipe.MakeMv:
		c.known([]pipe.Field{p.Field}, in)
	case *pipe.Lookup:
		s.Out = c.lookup(p, in)
	case *pipe.InputLookup:
		s.Out = c.inputLookup(p, in, q, first)
	case *pipe.Join:
		c.known(p.Keys, in)
		sub := c.query(p.Sub.Query, q)
		c.known(p.Keys, sub.Columns)
		s.Subs = []*Query{sub}
		s.Out = in.with(sub.Columns.Names...)
		s.Out.Open = in.Open || sub.Columns.Open
	case *pipe.Append:
		s.Subs, s.Out = c.union([]pipe.Subsearch{p.Sub}, in, q)
	case *pipe.Union:
		s.Subs, s.Out = c.union(p.Subs, in, q)
	case *pipe.Transaction:
		c.timed(p, in)
		c.known(p.Fields, in)
		for _, cond := range []*pipe.Condition{p.StartsWith, p.EndsWith} {
			switch {
			case cond == nil || cond.Filter == nil:
				s.Conditions = append(s.Conditions, nil)
				if cond != nil {
					c.knownExpr(cond.Expr, in)
				}
			default:
				s.Conditions = append(s.Conditions, c.filter(*cond.Filter, q))
			}
		}
		s.Out = in.with("duration", "eventcount")
		if p.KeepEvicted {
			s.Out = s.Out.with("closed_txn")
		}
	case *pipe.Convert:
		for _, call := range p.Calls {
			if !call.Field.Wild {
				c.known([]pipe.Field{call.Field}, in)
			}
			if call.As != "" {
				s.Out = s.Out.with(call.As)
			}
		}
	case *pipe.IPLocation:
		c.known([]pipe.Field{p.Field}, in)
		s.Out = in.with(IPLocationColumns(p)...)
	case *pipe.NewTerms, *pipe.Missing, *pipe.Spike, *pipe.Changed, *pipe.Sequence:
		c.detection(s, q)
	}
	return s
}

// IPLocationColumns are the columns iplocation writes.
func IPLocationColumns(p *pipe.IPLocation) []string {
	names := []string{"City", "Country", "Region", "lat", "lon"}
	if p.AllFields {
		names = append(names, "Continent", "Timezone", "country_code")
	}
	for i := range names {
		names[i] = p.Prefix + names[i]
	}
	return names
}

func columnsOf(aggs []pipe.Aggregate) []string {
	var out []string
	for _, a := range aggs {
		out = append(out, a.Column())
	}
	return out
}

func namesOf(fields []pipe.Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}

// binTarget is the column bin writes.
func (c *compiler) binTarget(p *pipe.Bin, in Columns) string {
	switch {
	case p.As != "":
		return p.As
	case p.Field.Name == "":
		return in.Time(c.options.TimeField)
	}
	return in.Resolve(p.Field.Name, c.options.TimeField)
}

// keep is fields and table.
func (c *compiler) keep(fields []pipe.Field, drop bool, in Columns, q *Query) Columns {
	out := Columns{}
	if drop {
		out.Open = in.Open
		for _, n := range in.Names {
			if !slices.ContainsFunc(fields, func(f pipe.Field) bool { _, ok := f.Match(n); return ok }) {
				out.Names = append(out.Names, n)
			}
		}
		return out
	}
	for _, f := range fields {
		switch {
		case !f.Wild:
			if !in.Open && !in.Has(in.Resolve(f.Name, c.options.TimeField)) {
				q.Warnings = append(q.Warnings, unknown(f.Name, in))
			}
			out = out.with(f.Name)
		default:
			out.Open = out.Open || in.Open
			for _, n := range in.Names {
				if _, ok := f.Match(n); ok {
					out = out.with(n)
				}
			}
		}
	}
	return out
}

func (c *compiler) rename(p *pipe.Rename, in Columns) Columns {
	out := Columns{Names: slices.Clone(in.Names), Open: in.Open}
	for _, r := range p.Pairs {
		if !r.From.Wild {
			c.known([]pipe.Field{r.From}, out)
			from := out.Resolve(r.From.Name, c.options.TimeField)
			if from == r.To.Name {
				continue
			}
			out.Names = slices.DeleteFunc(out.Names, func(n string) bool { return n == r.To.Name })
			if i := slices.Index(out.Names, from); i >= 0 {
				out.Names[i] = r.To.Name
			} else {
				out.Names = append(out.Names, r.To.Name)
			}
			continue
		}
		for i, n := range slices.Clone(out.Names) {
			if parts, ok := r.From.Match(n); ok && i < len(out.Names) {
				out.Names[i] = Fill(r.To.Name, parts)
			}
		}
	}
	return out
}

// Fill puts the parts in place of the stars of a name.
func Fill(name string, parts []string) string {
	var out []byte
	for i := 0; i < len(name); i++ {
		if name[i] == '*' && len(parts) > 0 {
			out = append(out, parts[0]...)
			parts = parts[1:]
			continue
		}
		out = append(out, name[i])
	}
	return string(out)
}

func (c *compiler) lookup(p *pipe.Lookup, in Columns) Columns {
	columns, ok := c.table(p.Table, p.TableAt)
	for _, k := range p.Keys {
		c.known([]pipe.Field{k.Field}, in)
	}
	if !ok {
		out := in.with()
		out.Open = true
		return out
	}
	var names []string
	for _, m := range append(slices.Clone(p.Keys), p.Output...) {
		if !slices.Contains(columns, m.Column) {
			c.fail(p.TableAt, pipe.Nearest(m.Column, columns), "the lookup %q has no column %q", p.Table, m.Column)
		}
	}
	if p.Output == nil {
		for _, n := range columns {
			if !slices.ContainsFunc(p.Keys, func(k pipe.Mapping) bool { return k.Column == n }) {
				names = append(names, n)
			}
		}
	}
	for _, m := range p.Output {
		names = append(names, m.Field.Name)
	}
	return in.with(names...)
}

// table is a lookup table's columns.
func (c *compiler) table(name string, at pipe.Span) ([]string, bool) {
	columns, ok := c.options.Lookups[name]
	if !ok {
		var names []string
		for n := range c.options.Lookups {
			names = append(names, n)
		}
		slices.Sort(names)
		try := pipe.Nearest(name, names)
		if try == "" {
			try = "--lookup " + name + "=FILE.csv, in rules lookups of the configuration"
		}
		c.fail(at, try, "there is no lookup %q", name)
	}
	return columns, ok
}

func (c *compiler) inputLookup(p *pipe.InputLookup, in Columns, q *Query, first bool) Columns {
	columns, _ := c.table(p.Table, p.TableAt)
	own := Columns{Names: columns}
	if p.Where != nil {
		c.knownExpr(p.Where, own)
	}
	if p.Append {
		out := in.with(columns...)
		return out
	}
	switch {
	case !first:
		c.fail(p.At, "inputlookup append=true "+p.Table, "inputlookup begins a search: as a later pipe it would throw away the rows before it")
	case !MatchesAll(q.Filter):
		c.fail(p.At, "| inputlookup "+p.Table+" | search ...", "inputlookup reads only the table: put the filter after it")
	}
	return own
}

func (c *compiler) union(subs []pipe.Subsearch, in Columns, q *Query) ([]*Query, Columns) {
	out := in.with()
	var queries []*Query
	for _, s := range subs {
		sub := c.query(s.Query, q)
		queries = append(queries, sub)
		open := out.Open || sub.Columns.Open
		out = out.with(sub.Columns.Names...)
		out.Open = open
	}
	return queries, out
}
