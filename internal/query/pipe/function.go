package pipe

import (
	"fmt"
	"slices"
)

// function tells how a function is called. most is -1 for any number of arguments.
type function struct {
	least, most int
	even        bool
	usage       string
}

var functionAliases = map[string]string{"ceiling": "ceil"}

// functions are all functions of expressions.
var functions = map[string]function{
	"if":            {3, 3, false, "if(a > 1, \"yes\", \"no\")"},
	"case":          {2, -1, true, "case(a > 1, \"many\", true(), \"few\")"},
	"coalesce":      {1, -1, false, "coalesce(a, b)"},
	"nullif":        {2, 2, false, "nullif(a, \"-\")"},
	"isnull":        {1, 1, false, "isnull(a)"},
	"isnotnull":     {1, 1, false, "isnotnull(a)"},
	"null":          {0, 0, false, "null()"},
	"true":          {0, 0, false, "true()"},
	"false":         {0, 0, false, "false()"},
	"match":         {2, 2, false, "match(a, \"^adm\")"},
	"like":          {2, 2, false, "like(a, \"adm%\")"},
	"in":            {2, -1, false, "in(a, \"x\", \"y\")"},
	"cidrmatch":     {2, 2, false, "cidrmatch(\"10.0.0.0/8\", source.ip)"},
	"replace":       {3, 3, false, "replace(a, \"regex\", \"with \\1\")"},
	"substr":        {2, 3, false, "substr(a, 1, 3)"},
	"lower":         {1, 1, false, "lower(a)"},
	"upper":         {1, 1, false, "upper(a)"},
	"trim":          {1, 2, false, "trim(a)"},
	"ltrim":         {1, 2, false, "ltrim(a)"},
	"rtrim":         {1, 2, false, "rtrim(a)"},
	"len":           {1, 1, false, "len(a)"},
	"split":         {2, 2, false, "split(a, \",\")"},
	"concat":        {1, -1, false, "concat(a, \":\", b)"},
	"mvcount":       {1, 1, false, "mvcount(a)"},
	"mvindex":       {2, 3, false, "mvindex(a, 0)"},
	"mvjoin":        {2, 2, false, "mvjoin(a, \",\")"},
	"mvfind":        {2, 2, false, "mvfind(a, \"regex\")"},
	"mvappend":      {1, -1, false, "mvappend(a, b)"},
	"mvdedup":       {1, 1, false, "mvdedup(a)"},
	"mvsort":        {1, 1, false, "mvsort(a)"},
	"mvfilter":      {1, 1, false, "mvfilter(a > 1)"},
	"tonumber":      {1, 2, false, "tonumber(a, 16)"},
	"tostring":      {1, 2, false, "tostring(a, \"hex\")"},
	"round":         {1, 2, false, "round(a, 2)"},
	"floor":         {1, 1, false, "floor(a)"},
	"ceil":          {1, 1, false, "ceil(a)"},
	"abs":           {1, 1, false, "abs(a)"},
	"pow":           {2, 2, false, "pow(a, 2)"},
	"sqrt":          {1, 1, false, "sqrt(a)"},
	"log":           {1, 2, false, "log(a, 10)"},
	"ln":            {1, 1, false, "ln(a)"},
	"exp":           {1, 1, false, "exp(a)"},
	"min":           {1, -1, false, "min(a, b)"},
	"max":           {1, -1, false, "max(a, b)"},
	"now":           {0, 0, false, "now()"},
	"time":          {0, 0, false, "time()"},
	"relative_time": {2, 2, false, "relative_time(now(), \"-1d@d\")"},
	"strftime":      {2, 2, false, "strftime(a, \"%Y-%m-%d\")"},
	"strptime":      {2, 2, false, "strptime(a, \"%Y-%m-%d\")"},
	"urldecode":     {1, 1, false, "urldecode(a)"},
	"md5":           {1, 1, false, "md5(a)"},
	"sha1":          {1, 1, false, "sha1(a)"},
	"sha256":        {1, 1, false, "sha256(a)"},
	"json_extract":  {2, 2, false, "json_extract(a, \"b.c\")"},
}

// FunctionNames are the names of all functions, sorted.
func FunctionNames() []string {
	var out []string
	for name := range functions {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// takes says how many arguments there must be.
func (f function) takes() string {
	plural := func(n int) string {
		if n == 1 {
			return "1 argument"
		}
		return fmt.Sprintf("%d arguments", n)
	}
	switch {
	case f.even:
		return "an even number of arguments"
	case f.most < 0:
		return "at least " + plural(f.least)
	case f.least == f.most && f.most == 0:
		return "no argument"
	case f.least == f.most:
		return plural(f.most)
	}
	return fmt.Sprintf("%d to %d arguments", f.least, f.most)
}
