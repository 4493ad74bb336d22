package tocsin_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms is the plan of the house: which rooms each room may import. What is not here is not
// allowed; a new room fails until it is on the plan. "*" is every room.
var rooms = map[string]string{
	"cmd/tocsin": "internal/app internal/config internal/duration internal/query",

	"internal/alert":    "",
	"internal/notice":   "internal/alert internal/wording",
	"internal/row":      "",
	"internal/jsonscan": "",
	"internal/nearest":  "",
	"internal/duration": "",
	"internal/sleep":    "",
	"internal/blockkit": "",
	"internal/wording":  "",
	"internal/chart":    "internal/notice",
	"internal/yamltext": "",

	"internal/parse":             "internal/row",
	"internal/query":             "internal/query/kql internal/query/dsl internal/query/pipe internal/query/plan internal/query/exec internal/row",
	"internal/query/kql":         "internal/nearest",
	"internal/query/pipe":        "internal/nearest",
	"internal/query/dsl":         "internal/query/kql",
	"internal/query/plan":        "internal/query/kql internal/query/pipe internal/query/dsl internal/row",
	"internal/query/exec":        "internal/query/kql internal/query/pipe internal/query/plan internal/row",
	"internal/query/files":       "internal/parse internal/row internal/query/plan",
	"internal/query/backendtest": "internal/query/exec internal/query/plan internal/row",

	"internal/elastic":  "internal/jsonscan internal/row internal/query/plan internal/query/dsl",
	"internal/logstore": "internal/row internal/query/plan internal/query/kql internal/query/pipe internal/parse",

	"internal/rule":     "internal/alert internal/duration internal/nearest internal/query internal/store internal/wording internal/yamltext",
	"internal/forecast": "internal/alert internal/detect internal/duration internal/notice internal/policy internal/query internal/rule",
	"internal/detect":   "internal/alert internal/query internal/rule internal/store internal/sleep internal/wording",
	"internal/kibana":   "internal/alert internal/elastic internal/jsonscan internal/notice internal/sleep",
	"internal/intake":   "internal/alert internal/ledger internal/notice internal/outbox internal/policy internal/store internal/tuning internal/sleep",
	"internal/tuning":   "internal/alert internal/policy internal/query internal/store",
	"internal/ledger":   "internal/alert internal/notice internal/store",
	"internal/policy":   "internal/alert internal/notice internal/query",
	"internal/outbox":   "internal/notice internal/store internal/sleep",
	"internal/notify":   "internal/alert internal/notice",
	"internal/slack":    "internal/alert internal/chart internal/jsonscan internal/notice internal/sleep internal/wording",
	"internal/check":    "internal/alert internal/notice internal/config internal/kibana internal/elastic internal/ledger internal/outbox internal/slack",
	"internal/store":    "",
	"internal/account":  "internal/store",
	"internal/saved":    "internal/store",
	"internal/settings": "internal/config internal/store",
	"internal/config":   "internal/duration internal/nearest internal/query internal/wording internal/yamltext",
	"internal/web": "internal/account internal/alert internal/check internal/config internal/detect internal/duration internal/forecast internal/ledger internal/logstore internal/notice " +
		"internal/outbox internal/policy internal/query internal/rule internal/saved internal/settings internal/slack internal/blockkit internal/tuning internal/wording",
	"internal/obs":     "",
	"internal/demo":    "internal/blockkit",
	"internal/app":     "*",
	"internal/testkit": "internal/demo",
}

// pure are the rooms that take time and input as arguments only.
var pure = []string{
	"internal/alert", "internal/notice", "internal/row", "internal/jsonscan", "internal/nearest", "internal/duration", "internal/yamltext", "internal/parse", "internal/policy",
	"internal/query/kql", "internal/query/pipe", "internal/query/dsl", "internal/query/plan",
}

func TestRoomsImportOnlyWhatThePlanAllows(t *testing.T) {
	for room, imports := range readImports(t) {
		allowed, planned := rooms[room]
		if !planned {
			t.Errorf("%s is not on the plan in house_test.go", room)
			continue
		}
		for _, imported := range imports {
			switch {
			case imported == "internal/testkit":
				t.Errorf("%s may not import internal/testkit: it is for tests", room)
			case imported == "internal/obs" && !slices.Contains(pure, room):
			case allowed == "*" || slices.Contains(strings.Fields(allowed), imported):
			default:
				t.Errorf("%s may not import %s", room, imported)
			}
		}
	}
}

func TestEveryPlannedRoomIsToldOfInTheArchitecture(t *testing.T) {
	text, err := os.ReadFile("docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 200 {
		t.Errorf("docs/ARCHITECTURE.md has %d lines, at most 200 are read", lines)
	}
	for room := range readImports(t) {
		if !strings.Contains(string(text), "`"+room+"`") {
			t.Errorf("docs/ARCHITECTURE.md does not name `%s`", room)
		}
	}
}

func TestFilesStayReadable(t *testing.T) {
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines > 600 {
			t.Errorf("%s has %d lines; 600 is the most", path, lines)
		}
	}
}

func TestPackagesSayWhatTheyOwn(t *testing.T) {
	said := map[string]bool{}
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		said[dir] = said[dir] || f.Doc != nil
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("%s: no file has a package comment that says what the package owns", dir)
		}
	}
}

func TestPureRoomsReadNoClockAndDoNoIO(t *testing.T) {
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") || !slices.Contains(pure, filepath.ToSlash(filepath.Dir(path))) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, banned := range []string{"time.Now(", "time.Since(", "time.Sleep(", "os.", "net.Dial", "http."} {
			for i, line := range strings.Split(string(text), "\n") {
				code, _, _ := strings.Cut(line, "//")
				if strings.Contains(code, banned) && !strings.Contains(code, `"`) && !strings.Contains(code, "`") && wordBefore(code, banned) {
					t.Errorf("%s:%d uses %s: this room takes time and input as arguments", path, i+1, banned)
				}
			}
		}
	}
}

// wordBefore reports whether banned stands in code as a name of its own, not as the end of a longer one.
func wordBefore(code, banned string) bool {
	i := strings.Index(code, banned)
	return i == 0 || !strings.ContainsAny(code[i-1:i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")
}

// readImports maps each room to the rooms its production files import.
func readImports(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		room := filepath.ToSlash(filepath.Dir(path))
		if !strings.HasPrefix(room, "internal/") && !strings.HasPrefix(room, "cmd/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		out[room] = append(out[room], nil...)
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if imported, ok := strings.CutPrefix(name, "tocsin/"); ok && !slices.Contains(out[room], imported) {
				out[room] = append(out[room], imported)
			}
		}
	}
	return out
}

func goFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == "third_party"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
