package forecast_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain draws fewer lives than rapid would: each is a whole detector, and the race detector makes it slow.
// -rapid.checks draws more.
func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "rapid.checks" })
	if !set {
		if err := flag.Set("rapid.checks", "15"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
