package wording

// Function is what a template can call, for those who write one.
type Function struct {
	Name    string `json:"name"`
	Example string `json:"example"`
	Text    string `json:"text"`
}

// Functions are those worth telling of, in the order of their use.
var Functions = []Function{
	{"default", `{{.host.name | default "a host"}}`, "what to say where there is no value"},
	{"if", `{{if gt .count 10}}many{{else}}few{{end}}`, "says one thing or the other; eq ne lt le gt ge compare, numbers as numbers; and, or, not join"},
	{"range", `{{range .rows}}{{.user.name}} {{end}}`, "each row, or each value of each .field"},
	{"join", `{{join " and " .user.name}}`, "several values with a text between"},
	{"each", `{{range each .source.ip}}{{.}} {{end}}`, "a value as a list, also one alone"},
	{"len", `{{len .rows}}`, "how many values or rows, or how many characters of a text"},
	{"index", `{{index .user.name 0}}`, "one of several values, counted from 0"},
	{"get", `{{get . "odd name"}}`, "a field whose name is no word"},
	{"date", `{{date "15:04" "Europe/Berlin" .first}}`, "a time, in Go's layout and a time zone"},
	{"upper", `{{upper .severity}}`, "in capitals; lower in small letters"},
	{"trim", `{{trim .message}}`, "without spaces at the ends"},
	{"truncate", `{{truncate 80 .message}}`, "the first characters"},
	{"replace", `{{replace "\\" "/" .process.executable}}`, "one text by another"},
	{"printf", `{{printf "%.1f" .avg_ms}}`, "a value by Go's verbs"},
	{"urlquery", `https://wiki.example.com/?q={{urlquery .rule.name}}`, "for the query of a link; html and js escape for those"},
}
