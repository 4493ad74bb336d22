package dsl_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query/dsl"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/kql"
	"tocsin/internal/testkit"
)

const agreeMapping = `{"properties":{
	"kw":{"type":"keyword"}, "host":{"properties":{"name":{"type":"keyword"}}},
	"txt":{"type":"text"}, "dyn":{"type":"text","fields":{"keyword":{"type":"keyword"}}},
	"n":{"type":"long"}, "d":{"type":"double"}, "flag":{"type":"boolean"}, "ip":{"type":"ip"},
	"at":{"type":"date"}, "nano":{"type":"date_nanos"},
	"items":{"type":"nested","properties":{"name":{"type":"keyword"},"size":{"type":"integer"}}}}}`

var agreeTypes = map[string]exec.FieldType{
	"kw": exec.Keyword, "host.name": exec.Keyword, "txt": exec.Text, "dyn": exec.Text, "dyn.keyword": exec.Keyword,
	"n": exec.Number, "d": exec.Number, "flag": exec.Boolean, "ip": exec.IP, "at": exec.Date, "nano": exec.DateNanos,
	"items.name": exec.Keyword | exec.InNested, "items.size": exec.Number | exec.InNested,
}

var agreeValues = map[string][]string{
	"kw":        {"Alpha", "alpha", "alpha beta", "a*b", "a?b", "C:\\Temp\\x.exe", "10", "10.0", "true", "not me", "x or y", "ünï", "日本", "http://x/y?z=1", "(p)", "", "café\u00a0bar"},
	"host.name": {"web-1", "web-2", "db_1.example.com"},
	"txt":       {"Failed password for root", "failed PASSWORD", "root@host.example.com from 10.1.2.3", "don't stop; user_name=bob, 1,000 12:30", "日本語テスト ok", "x-y_z a.b.c 5", "Größe naïve", "to be or not to be", "foo:bar C3PO v1.2b"},
	"n":         {"0", "1", "10", "-5", "9007199254740993", "500"},
	"d":         {"0.5", "10", "1e3", "-2.25"},
	"flag":      {"true", "false"},
	"ip":        {"10.1.2.3", "10.200.0.1", "192.168.0.7", "::1", "2001:db8::1"},
	"at":        {"2026-02-28T23:59:59.999Z", "2026-03-01T00:00:00.000Z", "2026-03-01T11:59:59Z", "2026-03-01T12:00:00.001+02:00", "2025-12-31T23:59:59.5Z", "2024-02-29"},
	"nano":      {"2026-03-01T00:00:00.000000001Z", "2026-03-01T00:00:00.123456789Z", "2026-03-01T00:00:01Z"},
}

// agreeQueries are values to ask for beside those there are.
var agreeQueries = map[string][]string{
	"kw":        {"gamma", "Alph", "beta alpha"},
	"host.name": {"web", "WEB-1"},
	"txt":       {"password", "PASSWORD root", "root failed", "example", "host.example.com", "10.1.2.3", "user_name", "don't", "dont", "1,000", "000", "bar", "12:30", "12", "日", "語", "テスト", "b.c", "a.b.c", "y_z", "größe", "be or", "--", "v1.2b", "c3po", "v1"},
	"n":         {"10.0", "1e1", "11", "9007199254740992", "+1"},
	"d":         {"1000", ".5", "10.0"},
	"ip":        {"10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32", "0.0.0.0/0", "10.1.2.4"},
	"at":        {"2026", "2026-03", "2026-03-01", "2026-03-01T12", "2026-03-01T11:59", "2026-03-01T11:59:59", "2026-03-01T10:00:00.001Z", "1772323200000", "2026-03-01||/M", "2026-03-01||-1d/d", "2026-03-01T00:00:00||+1M", "2024-01-31||+1M", "now", "now-1y", "now-3M/M", "now/w", "now+1d/d", "2026-03-01T01:00:00+01:00"},
	"nano":      {"2026-03-01T00:00:00", "2026-03-01T00:00:00.123Z", "2026-03-01T00:00:00.123456789Z", "2026-03-01", "1772323200123"},
}

type agreeGen struct{ *rand.Rand }

func (g agreeGen) pick(s []string) string { return s[g.IntN(len(s))] }

func (g agreeGen) document() (doc map[string]any, flat map[string][]any) {
	doc, flat = map[string]any{}, map[string][]any{}
	typed := func(field, v string) any {
		switch field {
		case "n", "d":
			return json.Number(v)
		case "flag":
			return v == "true"
		}
		return v
	}
	for _, field := range []string{"kw", "host.name", "txt", "n", "d", "flag", "ip", "at", "nano"} {
		switch g.IntN(5) {
		case 0:
		case 1:
			a := []any{typed(field, g.pick(agreeValues[field])), typed(field, g.pick(agreeValues[field]))}
			doc[field], flat[field] = a, a
		default:
			v := typed(field, g.pick(agreeValues[field]))
			doc[field], flat[field] = v, []any{v}
		}
	}
	if g.IntN(2) == 0 {
		v := g.pick(agreeValues["txt"])
		doc["dyn"], flat["dyn"] = v, []any{v}
	}
	if g.IntN(3) == 0 {
		name, size := g.pick(agreeValues["host.name"]), json.Number(strconv.Itoa(g.IntN(3)))
		doc["items"] = []any{map[string]any{"name": name, "size": size}}
		flat["items.name"], flat["items.size"] = []any{name}, []any{size}
	}
	return doc, flat
}

func (g agreeGen) query(depth int) string {
	switch n := g.IntN(8); {
	case depth > 0 && n == 0:
		return "not (" + g.query(depth-1) + ")"
	case depth > 0 && n == 1:
		return "(" + g.query(depth-1) + " and " + g.query(depth-1) + ")"
	case depth > 0 && n == 2:
		return "(" + g.query(depth-1) + " or " + g.query(depth-1) + ")"
	}
	return g.leaf()
}

func (g agreeGen) leaf() string {
	field := g.pick([]string{"kw", "host.name", "txt", "dyn", "dyn.keyword", "n", "d", "flag", "ip", "at", "at", "nano", "txt", "kw"})
	values := field
	switch field {
	case "dyn", "dyn.keyword":
		values = "txt"
	}
	word := g.pick(slices.Concat(agreeValues[values], agreeQueries[values]))
	if word == "" {
		word = "Alpha"
	}
	value := kql.Escape(word)
	if g.IntN(3) == 0 {
		value = kql.Quote(word)
	}
	kind := agreeTypes[field]
	switch g.IntN(10) {
	case 0:
		return field + ":*"
	case 1, 2:
		if kind == exec.Keyword || kind == exec.Text {
			return field + ":" + g.wildcard(word, kind == exec.Text)
		}
	case 3, 4, 5:
		if field != "flag" && (kind != exec.IP || !strings.Contains(value, "/")) {
			return field + " " + g.pick([]string{"<", "<=", ">", ">="}) + " " + value
		}
	case 6:
		if kind == exec.Keyword || kind == exec.Text || kind == exec.IP {
			return value
		}
	case 7:
		return "items:{ name:" + kql.Quote(g.pick(agreeValues["host.name"])) + " and size " + g.pick([]string{"<", ">="}) + " 1 }"
	case 8:
		return g.pick([]string{"ho*:", "*.name:", "k*:", "*xt:"}) + g.pick([]string{"*", "web-1", "Alpha", "w*"})
	}
	return field + ":" + value
}

// wildcard replaces parts of a word by stars. Where Kibana asks the same with and without field
// types, a space can stay only in text.
func (g agreeGen) wildcard(word string, text bool) string {
	r := []rune(word)
	i := g.IntN(len(r) + 1)
	j := i + g.IntN(len(r)-i+1)
	a, b := string(r[:i]), string(r[j:])
	if !text {
		if strings.ContainsAny(a+b, " \u00a0") {
			return "al*a"
		}
	} else if strings.ContainsAny(a+b, "日本語テスト") {
		return "pass*"
	}
	s := kql.Escape(strings.TrimSpace(a)) + "*" + kql.Escape(strings.TrimSpace(b))
	return strings.ReplaceAll(s, `\t`, "")
}

// TestFilterAgreesWithTheClusters asks real clusters and the filter in memory the same questions of
// the same documents, with and without field types.
func TestFilterAgreesWithTheClusters(t *testing.T) {
	for _, kind := range testkit.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			node := testkit.Server(t, kind)
			for _, seed := range agreeSeeds {
				agree(t, node, seed)
			}
		})
	}
}

var wildcardName = regexp.MustCompile(`[a-z*]\*:|\*[.a-z]+:`)

var agreeSeeds = []uint64{1, 2, 3}

func agree(t *testing.T, node testkit.Node, seed uint64) {
	g := agreeGen{rand.New(rand.NewPCG(seed, 4))}
	index := node.Index(t, "tocsin-kql-agree")
	node.Ask(t, http.MethodPut, "/"+index, `{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":`+agreeMapping+`}`, nil)
	fields, err := dsl.ReadFields([]byte(agreeMapping))
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	docs := make([]exec.Map, 120)
	for i := range docs {
		doc, flat := g.document()
		line, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Appendf(nil, `{"index":{"_index":%q,"_id":"%d"}}`, index, i), line)
		docs[i] = flat
	}
	node.Bulk(t, lines...)

	var queries []string
	for range 400 {
		queries = append(queries, g.query(2))
	}
	types := func(name string) exec.FieldType { return agreeTypes[name] }
	refused := 0
	for _, known := range []*dsl.Fields{nil, fields} {
		now := time.Now()
		answers := search(t, node, index, queries, known)
		for i, q := range queries {
			if answers[i].Error != nil {
				refused++
				continue
			}
			if known == nil && wildcardName.MatchString(q) {
				continue // without field types Kibana asks for a field of that name
			}
			tree, err := kql.Parse(q)
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			filter := exec.NewFilter(tree, types)
			var want, got []int
			for _, h := range answers[i].Hits.Hits {
				id, err := strconv.Atoi(h.ID)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, id)
			}
			slices.Sort(want)
			for id, doc := range docs {
				if filter.Match(doc, now) {
					got = append(got, id)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				body, _ := dsl.Query(tree, known)
				t.Errorf("seed %d, types %v: %s\n%s\n-cluster +filter: %s", seed, known != nil, q, body, diff)
			}
		}
	}
	// Field types keep what Elasticsearch refuses (no number, no address) few.
	if limit := len(queries) / 4; refused > limit {
		t.Errorf("the cluster refused %d of %d queries, more than %d", refused, 2*len(queries), limit)
	}
	t.Logf("seed %d: %d queries, %d of them refused", seed, 2*len(queries), refused)
}

type answer struct {
	Error json.RawMessage `json:"error"`
	Hits  struct {
		Hits []struct {
			ID string `json:"_id"`
		} `json:"hits"`
	} `json:"hits"`
}

func search(t *testing.T, node testkit.Node, index string, queries []string, fields *dsl.Fields) []answer {
	t.Helper()
	var body bytes.Buffer
	for _, q := range queries {
		tree, err := kql.Parse(q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		query, err := dsl.Build(tree, fields)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		fmt.Fprintf(&body, "{}\n{\"size\":1000,\"_source\":false,\"query\":%s}\n", query)
	}
	var out struct {
		Responses []answer `json:"responses"`
	}
	node.Ask(t, http.MethodPost, "/"+index+"/_msearch", body.Bytes(), &out)
	if len(out.Responses) != len(queries) {
		t.Fatalf("%d answers to %d queries", len(out.Responses), len(queries))
	}
	return out.Responses
}

// TestLargeListsAreTaken sends lists beyond what one bool takes.
func TestLargeListsAreTaken(t *testing.T) {
	fields, err := dsl.ReadFields([]byte(agreeMapping))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range testkit.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			node := testkit.Server(t, kind)
			index := node.Index(t, "tocsin-kql-lists")
			node.Ask(t, http.MethodPut, "/"+index, `{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":`+agreeMapping+`}`, nil)
			var lines [][]byte
			for i := range 20 {
				lines = append(lines, fmt.Appendf(nil, `{"index":{"_index":%q,"_id":"%d"}}`, index, i),
					fmt.Appendf(nil, `{"kw":"v%d","ip":"10.0.%d.9","n":%d,"items":[{"name":"v%d"}]}`, i*5000, i, i*5000, i*5000))
			}
			node.Bulk(t, lines...)
			list := func(field, format string, n int) string {
				var b strings.Builder
				b.WriteString(field + ":(")
				for i := range n {
					if i > 0 {
						b.WriteString(" or ")
					}
					fmt.Fprintf(&b, format, i)
				}
				return b.String() + ")"
			}
			queries := []string{
				list("kw", "v%d", 70_000),
				list("n", "%d", 5001),
				list("ip", "10.0.%d.0/24", 9) + " or " + list("kw", `"v%d"`, 3000),
				"not " + list("kw", "v%d", 20_001),
				"items:{ " + list("name", "v%d", 5001) + " }",
			}
			want := []int{14, 2, 9, 15, 2}
			for i, a := range search(t, node, index, queries, fields) {
				if a.Error != nil || len(a.Hits.Hits) != want[i] {
					t.Errorf("query %d: %d hits, want %d; error %.300s", i, len(a.Hits.Hits), want[i], a.Error)
				}
			}
			// Without field types nothing may be joined; this many clauses every version takes.
			if a := search(t, node, index, []string{list("kw", "v%d", 1024)}, nil)[0]; a.Error != nil || len(a.Hits.Hits) != 1 {
				t.Errorf("1,024 values without types: %d hits; error %.300s", len(a.Hits.Hits), a.Error)
			}
		})
	}
}
