package testkit

import (
	"os"
	"os/exec"
	"testing"
)

// The variables that name what drives a browser: the directory that scripts/browser/install.sh filled, and
// Chromium itself.
const (
	browserPackages = "TOCSIN_BROWSER_PACKAGES"
	browserProgram  = "TOCSIN_BROWSER"
)

// Browser returns the directory of the packages that drive Chromium. Where they, Chromium or Node are missing it
// records that and skips the test, or fails it with TOCSIN_TEST_SERVERS=required.
func Browser(t testing.TB) (packages string) {
	t.Helper()
	if testing.Short() {
		record(t, "browser", "not used", "Chromium", "-short needs no browser")
		t.Skip("Chromium is not used with -short")
	}
	missing := ""
	packages = os.Getenv(browserPackages)
	program := os.Getenv(browserProgram)
	if program == "" {
		program = "/usr/bin/chromium"
	}
	if packages == "" {
		missing = browserPackages + ` is not set: run export ` + browserPackages + `="$(scripts/browser/install.sh)"`
	} else if _, err := exec.LookPath(program); err != nil {
		missing = "there is no Chromium: apt-get install chromium, or name it in " + browserProgram
	} else if _, err := exec.LookPath("node"); err != nil {
		missing = "there is no Node: apt-get install nodejs npm"
	}
	if missing == "" {
		record(t, "browser", "used", "Chromium", program)
		return packages
	}
	record(t, "browser", "not used", "Chromium", missing)
	if os.Getenv("TOCSIN_TEST_SERVERS") == "required" {
		t.Fatal(missing)
	}
	t.Skip("not used: Chromium: " + missing)
	return ""
}
