package shippers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rsyslogConfig is the one of docs/shippers.md, with a file as its input.
const rsyslogConfig = `global(workDirectory="%[1]s")
module(load="imfile")
module(load="omelasticsearch")
input(type="imfile" File="%[1]s/app.log" Tag="app" Severity="info" ruleset="tocsin")
template(name="ecs" type="list" option.jsonf="on") {
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host.name" name="hostname" format="jsonf")
  property(outname="log.syslog.severity.name" name="syslogseverity-text" format="jsonf")
  property(outname="log.syslog.facility.name" name="syslogfacility-text" format="jsonf")
  property(outname="process.name" name="programname" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}
ruleset(name="tocsin") {
  action(type="omelasticsearch" server="127.0.0.1" serverport="%[2]s" template="ecs"
         searchIndex="syslog" searchType="" bulkmode="on" usehttps="off"
         queue.type="linkedList" queue.size="20000" queue.dequeueBatchSize="500" action.resumeRetryCount="-1"
         errorfile="%[1]s/errors.json")
}
`

func TestRsyslog(t *testing.T) {
	const name = "rsyslog-elasticsearch"
	rsyslogd, err := exec.LookPath("rsyslogd")
	if err != nil {
		if rsyslogd, err = exec.LookPath("/usr/sbin/rsyslogd"); err != nil {
			missing(t, name, "there is no rsyslogd; apt-get install rsyslog rsyslog-elasticsearch")
		}
	}
	if found, err := filepath.Glob("/usr/lib/*/rsyslog/omelasticsearch.so"); err != nil || len(found) == 0 {
		missing(t, name, "rsyslogd has no omelasticsearch; apt-get install rsyslog-elasticsearch")
	}
	documented, err := os.ReadFile(filepath.Join(root, "docs", "shippers.md"))
	if err != nil {
		t.Fatal(err)
	}
	template := rsyslogConfig[strings.Index(rsyslogConfig, "template("):strings.Index(rsyslogConfig, "ruleset(name=")]
	if !strings.Contains(string(documented), template) {
		t.Error("docs/shippers.md shows another template")
	}
	version, err := exec.Command(rsyslogd, "-v").Output()
	if err != nil {
		t.Fatal(err)
	}
	p := serve(t)
	dir := t.TempDir()
	var log strings.Builder
	const lines = 2500
	for i := range lines {
		fmt.Fprintf(&log, "line %d of \"user\" \\ bob\n", i)
	}
	for file, text := range map[string]string{"app.log": log.String(), "rsyslog.conf": fmt.Sprintf(rsyslogConfig, dir, p.port())} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(rsyslogd, "-n", "-f", filepath.Join(dir, "rsyslog.conf"), "-i", filepath.Join(dir, "pid"))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			kill := time.AfterFunc(15*time.Second, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be gone
			cmd.Process.Signal(syscall.SIGTERM)                                   //nolint:errcheck // as above
			cmd.Wait()                                                            //nolint:errcheck // as above
			kill.Stop()
		}
	}
	defer stop()
	count := func() int {
		rows := p.search("process.name:app | count")
		n, _ := rows[0]["count"].(float64)
		return int(n)
	}
	for deadline := time.Now().Add(time.Minute); count() < lines && time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
	}
	stop()
	rejected, _ := os.ReadFile(filepath.Join(dir, "errors.json"))
	if n := count(); n != lines {
		t.Fatalf("%d events, want %d\n%s\n%s", n, lines, said.String(), rejected)
	}
	record(t, "used", name, regexp.MustCompile(`[0-9.]+[0-9]`).FindString(string(version)))
	rows := p.search(`process.name:app and message:"line 7 of" | head 1`)
	if len(rows) != 1 || rows[0]["message"] != `line 7 of "user" \ bob` || rows[0]["log.syslog.severity.name"] != "info" || rows[0]["host.name"] == "" {
		t.Errorf("found %v", rows)
	}
	if rows := p.search("process.name:app | dedup message | count"); rows[0]["count"] != float64(lines) {
		t.Errorf("%v different lines, want %d", rows, lines)
	}
}
