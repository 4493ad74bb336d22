package rule

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/parse"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
)

// tester reads documents as the command line does.
var tester = Tester{Backend: func(documents []byte) query.Backend {
	return &files.Backend{Main: files.Input{Path: "-", Reader: bytes.NewReader(documents)}}
}}

func TestThePackIsFitToUse(t *testing.T) {
	ids, names := map[string]bool{}, map[string]bool{}
	for _, e := range Pack() {
		r := e.Rule
		t.Run(e.ID, func(t *testing.T) {
			if ids[e.ID] || names[r.Name] {
				t.Error("its id or name is that of another rule")
			}
			ids[e.ID], names[r.Name] = true, true
			for _, w := range r.Warnings {
				t.Errorf("warning: %s", w)
			}
			if len(r.Attack) == 0 {
				t.Error("it names no ATT&CK technique")
			}
			if r.Noise == "" || r.Description == "" || r.Guide == "" || r.Message == nil {
				t.Error("it has no note on noise, no description, no guide, or no message")
			}
			q, err := r.Compile(query.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if kind := q.Kind(); kind == query.RangeWise {
				t.Errorf("it is judged %s, and what comes late would be seen less well", kind)
			}
			if r.Enabled != On || r.Source != "" {
				t.Error("it must leave enabled and source to who takes it")
			}
			found, quiet := false, false
			for _, test := range r.Tests {
				found, quiet = found || test.Alerts > 0, quiet || test.Alerts == 0
			}
			if !found || !quiet {
				t.Error("its tests must show that it finds, and that it is quiet")
			}
			results, err := tester.Run(t.Context(), &e)
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range results {
				if !result.Passed {
					t.Errorf("%s: %q", result.Test, result.Differences)
				}
			}
		})
	}
}

// packFamilies are the sections of the page about the pack. What a rule reads is told by its search where that
// names a channel of Windows, else by data.
var packFamilies = []struct{ prefixes, title, data, about string }{
	{"sshd", "SSH", "sshd", "Lines of sshd: Filebeat's or Elastic Agent's `system.auth`, or any syslog that `tocsin ingest --parse sshd` reads."},
	{
		"sudo linux", "sudo and accounts of Linux", "auth.log",
		"The log of authentication (`auth.log`, `secure`, the journal): Filebeat's or Elastic Agent's `system.auth`, or any syslog that `tocsin ingest --parse syslog` reads.",
	},
	{"web", "Web servers", "access log", "Access logs of nginx or Apache in ECS: Filebeat's or Elastic Agent's modules, or `tocsin ingest --parse nginx`."},
	{
		"windows sysmon", "Windows", "",
		"The security and system logs and Sysmon, as Winlogbeat or Elastic Agent ship them. Rules that read the starts of processes take Sysmon's event 1 or event 4688 with command lines turned on.",
	},
	{"aws", "AWS", "CloudTrail", "CloudTrail, as Filebeat's `aws` module or Elastic Agent ships it (`event.dataset: aws.cloudtrail`)."},
	{"okta", "Okta", "System Log", "Okta's System Log, as Filebeat or Elastic Agent ships it (`event.dataset: okta.system`)."},
	{"o365 entra", "Microsoft 365 and Entra", "audit log", "The unified audit log, as Filebeat's `o365` module or Elastic Agent ships it (`event.dataset: o365.audit`)."},
	{"kubernetes", "Kubernetes", "audit log", "The audit log of the API server, as Elastic Agent ships it (`kubernetes.audit.*`)."},
}

var (
	ofChannel   = regexp.MustCompile(`event\.code:(?:\(([^)]+)\)|(\d+)) and winlog\.channel:(?:"([^"]+)"|(\w+))`)
	justChannel = regexp.MustCompile(`winlog\.channel:"([^"]+)"`)
)

// dataOf is what a rule has to be given.
func dataOf(r *Rule, preset string) string {
	if preset != "" {
		return preset
	}
	short := func(channel string) string {
		if channel == "Microsoft-Windows-Sysmon/Operational" {
			return "Sysmon"
		}
		return strings.TrimSuffix(strings.TrimPrefix(channel, "Microsoft-Windows-"), "/Operational")
	}
	var out []string
	for _, m := range ofChannel.FindAllStringSubmatch(r.Search, -1) {
		out = append(out, short(m[3]+m[4])+" "+strings.ReplaceAll(m[1]+m[2], " or ", ", "))
	}
	if m := justChannel.FindStringSubmatch(r.Search); out == nil && m != nil {
		out = append(out, short(m[1]))
	}
	return strings.Join(out, "; ")
}

// packPage is docs/starter-pack.md.
func packPage(t *testing.T) string {
	t.Helper()
	entries := Pack()
	var out strings.Builder
	fmt.Fprintf(&out, `# The starter pack

%d rules of our own, in plain language, each with ATT&CK techniques, tests, a guide for whoever gets the alert, and a note on its noise.
None of them runs until you take it:

    tocsin rules list --pack                     what there is
    tocsin rules show --pack sshd-brute-force    a rule, whole
    tocsin rules test --pack                     what each finds, and what not
    tocsin rules enable sshd-brute-force         take it; with --shadow, watch it first without a word in Slack
    tocsin rules enable sshd-brute-force --source siem     where there are several sources

What is taken is a rule of yours, with versions: `+"`tocsin rules export`"+` writes it to a file, `+"`tocsin rules apply`"+` brings it back
changed. Start with a few: those whose noise says that they are quiet, and those for what you are most afraid of. When one speaks where nothing is wrong,
write an exception with a reason and an end, as [rules.md](rules.md) shows; the last column tells which one to expect.

Rules for SSH, Linux and web servers name no indices and read those of the source, since many shippers bring such logs; the others read
what Beats and Elastic Agent write (`+"`winlogbeat-*`, `filebeat-*`, `logs*`"+`): change `+"`indices`"+` where yours are called otherwise. First-seen rules
(`+"`newterms`"+`) compare with what the source still holds: where that is less than they look back, everything is new to them once, so take them with
`+"`--shadow`"+` at first.

This page is written from the rules themselves by a test.
`, len(entries))
	listed := 0
	for _, family := range packFamilies {
		fmt.Fprintf(&out, "\n## %s\n\n%s\n\n| rule | data | ATT&CK | severity | noise |\n|---|---|---|---|---|\n", family.title, family.about)
		for _, e := range entries {
			prefix, _, _ := strings.Cut(e.ID, "-")
			if !strings.Contains(" "+family.prefixes+" ", " "+prefix+" ") {
				continue
			}
			listed++
			var attack []string
			for _, id := range e.Rule.Attack {
				technique, _ := alert.LookupTechnique(id)
				attack = append(attack, strings.TrimSpace(id+" "+technique.Name))
			}
			fmt.Fprintf(&out, "| `%s`<br>%s | %s | %s | %s | %s |\n", e.ID, cell(e.Rule.Name), cell(dataOf(e.Rule, family.data)), cell(strings.Join(attack, "; ")),
				cmp.Or(e.Rule.Severity.Fixed.String(), "?"), cell(e.Rule.Noise))
		}
	}
	if listed != len(entries) {
		t.Errorf("%d of %d rules are in a family: add the prefix of the others' ids to packFamilies", listed, len(entries))
	}
	return out.String()
}

// cell is text for a cell of a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "\n", " ").Replace(strings.TrimSpace(s))
}

func TestThePackIsDocumented(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "starter-pack.md")
	want := packPage(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(got), want); diff != "" {
		t.Errorf("go test ./internal/rule -run Documented -update writes it\n%s", diff)
	}
}

func TestThePackFindsWhatIsInLogs(t *testing.T) {
	var lines strings.Builder
	for i := range 12 { // by hand, as sshd and sudo write them
		fmt.Fprintf(&lines, "Jul  1 10:00:%02d web-1 sshd[%d]: Failed password for invalid user user%d from 203.0.113.7 port 4%03d ssh2\n", 4*i, 900+i, i, i)
	}
	lines.WriteString("Jul  1 10:01:00 web-1 sshd[921]: Accepted password for root from 203.0.113.7 port 5001 ssh2\n")
	lines.WriteString("Jul  1 10:01:30 web-1 sudo:      www-data : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/bash\n")
	lines.WriteString("Jul  1 10:01:35 web-1 sudo:      bob : TTY=pts/1 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/bash\n")
	lines.WriteString("Jul  1 10:01:40 web-1 useradd[950]: new user: name=toor, UID=0, GID=0, home=/root, shell=/bin/bash, from=/dev/pts/0\n")
	found := foundIn(t, lines.String())
	want := map[string]int{
		"sshd-brute-force": 1, "sshd-password-spray": 1, "sshd-root-login": 1, "sshd-password-from-internet": 1, "sudo-not-allowed": 1, "sudo-root-shell": 1,
		"linux-second-root": 1, "sshd-login-after-failures": 1, "sshd-new-source": 1, "sudo-first-use": 1,
	}
	for id, n := range want {
		if found[id] != n {
			t.Errorf("%s: %d alerts, not %d", id, found[id], n)
		}
	}

	// A day of a real server, where it lies beside the repository.
	day, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "openssh_2k.log"))
	if err != nil {
		return
	}
	found = foundIn(t, string(day))
	if found["sshd-brute-force"] != 7 || found["sshd-password-spray"] != 4 || found["sshd-root-login"] != 0 {
		t.Errorf("in the real log there are %d episodes of guessing, %d of spraying, %d logins of root", found["sshd-brute-force"], found["sshd-password-spray"], found["sshd-root-login"])
	}
}

// foundIn counts the alerts of the pack's rules in lines of auth.log.
func foundIn(t *testing.T, lines string) map[string]int {
	t.Helper()
	parser, err := parse.New("sshd", parse.Options{Year: 2024})
	if err != nil {
		t.Fatal(err)
	}
	var documents bytes.Buffer
	for line := range strings.Lines(lines) {
		if err := parser.Line(line, func(doc string) error {
			documents.WriteString(doc + "\n")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]int{}
	for _, e := range Pack() {
		if prefix, _, _ := strings.Cut(e.ID, "-"); prefix != "sshd" && prefix != "sudo" && prefix != "linux" {
			continue
		}
		r := *e.Rule
		r.Tests = []Test{{Name: "the log", Documents: documents.Bytes()}}
		r.SameAgainAfter = 0 // what was found, not what was said
		results, err := tester.Run(t.Context(), &Entry{ID: e.ID, Rule: &r})
		if err != nil {
			t.Fatal(err)
		}
		out[e.ID] = results[0].Got
	}
	return out
}
