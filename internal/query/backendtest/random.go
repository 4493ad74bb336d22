package backendtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// Now is when the suite's searches begin.
var Now = time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)

// values are what the fields of documents and the queries for them are drawn from.
var values = map[string][]any{
	"user.name":  {"root", "admin", "Admin", "ann", "ann smith", "O'Neil", "ünï", "日本", "a*b", "true", "-", strings.Repeat("x", 40)},
	"host.name":  {"web-1", "web-2", "db.example.com", ""},
	"event.code": {"4624", "4625", "1000", "7", "07"},
	"tags":       {"a", "b", "c", "10.0.0.1"},
	"label":      {"2024-07-01", "2024-07-01T10:00:00Z", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "2024", "5", "5.0", "now", "10.0.0.0/8", "word"},
	"source.ip":  {"10.0.0.1", "10.0.0.2", "192.168.1.7", "2001:db8::1", "::1"},
	"bytes":      {0, 1, -7, 512, 4096, int64(9007199254740993), int64(-9007199254740995)},
	"port":       {22, 80, 443, 65535},
	"score":      {0.1, 2.5, -3.25, 5, 1e10},
	"flag":       {true, false},
	"message":    {"Failed password for root", "accepted", "Failed Password for ann smith", "connection closed by 10.0.0.1", "---", ""},
	"note":       {"short", "Short", "several words here", strings.Repeat("long ", 60), "---"},
}

// names are the fields in a fixed order.
var names = []string{"user.name", "host.name", "event.code", "tags", "label", "source.ip", "bytes", "port", "score", "flag", "message", "note"}

// Documents are count documents, always the same ones for a seed.
func Documents(seed, count int) []Document {
	if count == 0 {
		count = 60
	}
	out := make([]Document, count)
	for i, d := range rapid.SliceOfN(randomDocument, count, count).Example(seed) {
		out[i] = Document{ID: fmt.Sprintf("id-%03d", (i*37)%1000), JSON: d}
	}
	return out
}

var randomDocument = rapid.Custom(func(t *rapid.T) string {
	doc := map[string]any{}
	if rapid.IntRange(0, 19).Draw(t, "timed") > 0 {
		at := Now.Add(-time.Duration(rapid.IntRange(0, 40).Draw(t, "minutes")) * time.Minute)
		doc["@timestamp"] = at.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 123456 * time.Nanosecond, 500 * time.Microsecond}).
			Draw(t, "fraction")).Format(time.RFC3339Nano)
	}
	for _, name := range names {
		value := rapid.SampledFrom(values[name])
		var v any
		switch rapid.IntRange(0, 9).Draw(t, "shape") {
		case 0, 1:
			continue
		case 2:
			v = []any{value.Draw(t, name), value.Draw(t, name)}
		case 3:
			v = []any{}
		default:
			v = value.Draw(t, name)
		}
		parent, child, nested := strings.Cut(name, ".")
		if !nested || rapid.IntRange(0, 4).Draw(t, "dotted") == 0 && doc[parent] == nil {
			doc[name] = v
			continue
		}
		inner, _ := doc[parent].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
			doc[parent] = inner
		}
		inner[child] = v
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
})

var randomBounds = rapid.Custom(func(t *rapid.T) bounds {
	var b bounds
	edge := rapid.SampledFrom([]time.Duration{0, 0, 0, time.Millisecond, 100 * time.Microsecond})
	if rapid.Bool().Draw(t, "from") {
		b.earliest = Now.Add(-time.Duration(rapid.IntRange(10, 40).Draw(t, "minutes")) * time.Minute).Add(edge.Draw(t, "edge"))
	}
	if rapid.Bool().Draw(t, "to") {
		b.latest = Now.Add(-time.Duration(rapid.IntRange(0, 9).Draw(t, "minutes")) * time.Minute).Add(edge.Draw(t, "edge"))
	}
	return b
})

// Queries are those that every backend answers beside the random ones.
var Queries = []string{
	"* | newterms user.name, tags over 30m",
	"user.name:* | newterms source.ip over 20m | fields source.ip, _time",
	"* | missing by host.name over 10m",
	"* | spike by user.name factor=1.5 baseline=2h",
	"* | spike factor=1.1 baseline=3h seasonal=6h min=2",
	"* | changed port, flag by user.name | table _time, user.name, port, flag, previous.port, previous.flag",
	"* | sequence by host.name maxspan=30m [flag:true] ![port > 400] [user.name:root] until [event.code:4625]",
	"* | sequence maxspan=20m [flag:false] with runs=2 ![user.name:root]",
	"",
	"*",
	"user.name:root",
	"not user.name:root",
	"user.name:*",
	"source.ip:10.0.0.0/8 and not flag:true",
	"bytes > 9007199254740992",
	"message:failed | count by user.name",
	"event.code:(4624 or 4625) | count by event.code, host.name",
	"label:2024",
	"label:10.0.0.1",
	"label >= 5",
	"@timestamp >= \"2024-07-01T11:30:00Z\" | count by user.name",
	"@timestamp >= \"2024-07-01T11:30:00.123Z\" and @timestamp < \"2024-07-01T12:10:00Z\" | count by user.name",
	"not @timestamp < \"2024-07-01T14:30:00.001+02:00\" | count",
	"user.name:root and @timestamp < \"2024-07-01T12:00:00Z\" or @timestamp >= \"2024-07-01T12:00:00.5Z\" | count by host.name",
	"@timestamp >= \"2024-07-01T11:30:00Z\" | count by user.name over 5m | search count > 1",
	"| stats count by user.name, host.name over 10m | search count >= 3",
	"| count by user.name over 1m | where count > 3",
	"user.name.keyword:root",
	"missing.field:x or user.name:ann",
	"| count",
	"none:x | stats count, sum(port), min(port), avg(port)",
	"| stats count, sum(port), avg(port), min(port), max(port), range(port) by source.ip",
	"| stats sum(bytes), min(bytes), max(bytes) by host.name",
	"| stats count(port), count(flag), count(tags), sum(score), max(score) by flag",
	"| count by tags",
	"| count by note",
	"| count by port, flag",
	"| stats count by span(_time, 5m), host.name",
	"| stats count by span(_time, 1d)",
	"| stats usenull=true count by flag",
	"| stats dc(user.name), count, dc(tags) by host.name",
	"| stats dc(source.ip) by span(_time, 1h)",
	"none:x | stats dc(tags)",
	"| stats count(eval(port > 80)), dc(user.name), values(tags), first(user.name), latest(port)",
	"| head 7",
	"| sort - @timestamp | head 5 | fields @timestamp, port",
	"| sort 4 @timestamp | fields @timestamp, user.name",
	"| sort 5 port, - bytes | table port, bytes",
	"port:22 | head 3",
	"| fields user.name, tags, label | head 20",
	"| count by user.name | search count > 2",
	"flag:true | eval x=port+1 | stats sum(x) by user.name",
	"[flag:true | head 2 | fields user.name] | count by user.name",
	"| dedup user.name | fields user.name, @timestamp",
	"| count by user.name over 5m | search count > 2",
	"| stats count, dc(user.name) by source.ip over 7m | search count >= 3",
	"flag:true | stats sum(port) as s, first(user.name) by host.name, port over 10m | where s > 100 and s < 2000",
	"| stats max(score) by tags over 3m | search \"max(score)\" > 2",
	"| eventstats count by host.name | where count > 3 | fields host.name, count",
}

var randomFilter = rapid.Custom(func(t *rapid.T) string { return filter(t, 2) })

func filter(t *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 5).Draw(t, "node") {
		case 0:
			return "(" + filter(t, depth-1) + " and " + filter(t, depth-1) + ")"
		case 1:
			return "(" + filter(t, depth-1) + " or " + filter(t, depth-1) + ")"
		case 2:
			return "not (" + filter(t, depth-1) + ")"
		}
	}
	name := rapid.SampledFrom(names).Draw(t, "field")
	value := literal(t, name)
	switch rapid.IntRange(0, 7).Draw(t, "leaf") {
	case 0:
		return name + ":*"
	case 1:
		return name + rapid.SampledFrom([]string{" < ", " <= ", " > ", " >= "}).Draw(t, "operator") + quoted(value)
	case 2:
		if len(value) > 1 && strings.Trim(value[:1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
			return name + ":" + value[:1] + "*"
		}
	case 3:
		other := rapid.SampledFrom(names).Draw(t, "other")
		value = literal(t, other)
	case 4:
		return name + ":(" + quoted(value) + " or " + quoted(literal(t, name)) + ")"
	}
	return name + ":" + quoted(value)
}

func literal(t *rapid.T, name string) string {
	return fmt.Sprint(rapid.SampledFrom(values[name]).Draw(t, "value"))
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

var randomQuery = rapid.Custom(func(t *rapid.T) string {
	q := ""
	if rapid.IntRange(0, 3).Draw(t, "filtered") > 0 {
		q = randomFilter.Draw(t, "filter")
	}
	switch rapid.IntRange(0, 6).Draw(t, "pipe") {
	case 0:
		return q
	case 6:
		return q + " | " + randomDetection.Draw(t, "detection")
	case 1:
		return q + " | head " + fmt.Sprint(rapid.IntRange(1, 9).Draw(t, "n"))
	case 2:
		sign := rapid.SampledFrom([]string{"", "- "}).Draw(t, "sign")
		return q + " | sort " + sign + "_time | head " + fmt.Sprint(rapid.IntRange(1, 9).Draw(t, "n")) + " | fields @timestamp, user.name"
	}
	aggs := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"count", "count(port)", "count(tags)", "sum(port)", "avg(port)", "min(port)", "max(port)",
		"range(port)", "sum(bytes)", "min(bytes)", "max(score)", "sum(score)", "avg(bytes)", "count(flag)", "dc(user.name)", "dc(source.ip)", "dc(tags)", "dc(flag)", "max(label)",
	}),
		1, 3, rapid.ID).Draw(t, "aggregates")
	q += " | stats " + strings.Join(aggs, ", ")
	by := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"user.name", "host.name", "event.code", "tags", "source.ip", "port", "flag", "note", "label",
		"span(_time, 5m)", "missing.field",
	}), 0, 2, rapid.ID).Draw(t, "by")
	if len(by) > 0 {
		q += " by " + strings.Join(by, ", ")
	}
	if rapid.IntRange(0, 2).Draw(t, "sliding") == 0 && !strings.Contains(q, "span(") {
		q += fmt.Sprintf(" over %dm | where '%s' %s %d", rapid.IntRange(1, 15).Draw(t, "over"), rapid.SampledFrom(aggs).Draw(t, "judged"),
			rapid.SampledFrom([]string{">", ">="}).Draw(t, "bound"), rapid.IntRange(1, 6).Draw(t, "floor"))
	}
	return q
})

// judgedSearch is a detection command that judges a short range, of which it reads the past only where it matters.
var judgedSearch = rapid.Custom(func(t *rapid.T) search {
	to := Now.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "to")) * time.Minute)
	from := to.Add(-rapid.SampledFrom([]time.Duration{time.Millisecond, time.Minute, 6 * time.Minute}).Draw(t, "for"))
	return search{rapid.SampledFrom([]string{"* | ", "not user.name:root | "}).Draw(t, "filter") + randomDetection.Draw(t, "command"), bounds{from, to}}
})

var randomDetection = rapid.Custom(func(t *rapid.T) string {
	key := rapid.SampledFrom([]string{"user.name", "host.name", "tags", "source.ip"}).Draw(t, "key")
	over := rapid.IntRange(1, 60).Draw(t, "over")
	switch rapid.IntRange(0, 4).Draw(t, "command") {
	case 0:
		return fmt.Sprintf("newterms %s over %dm | table _time, %s", key, over, key)
	case 1:
		return fmt.Sprintf("missing by %s over %dm", key, over)
	case 2:
		return fmt.Sprintf("spike by %s factor=1.%d baseline=%dm min=%d", key, over%10+1, over, over%3)
	case 3:
		return fmt.Sprintf("changed port by %s | table _time, %s, port, previous.port", key, key)
	}
	return fmt.Sprintf("sequence by %s maxspan=%dm [%s] [%s]", key, over, randomFilter.Draw(t, "first step"), randomFilter.Draw(t, "second step"))
})

type search struct {
	text   string
	bounds bounds
}

var randomSearch = rapid.Custom(func(t *rapid.T) search {
	return search{randomQuery.Draw(t, "query"), randomBounds.Draw(t, "time range")}
})
