package account

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzShown holds that whatever stands in the header, nothing panics, a program's request shows no more than a
// shipper's, and an id and key that are found stand in the header or in what it encodes.
func FuzzShown(f *testing.F) {
	for _, header := range []string{
		"", "Bearer tocsin_0123456789ab_00", "ApiKey MDEyOmFi", "ApiKey tocsin_1_2", "Basic eDp0b2NzaW5fMV8y", "Basic eA==", "bearer", "Bearer tocsin__", "Basic \xff", "ApiKey ::",
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = []string{header}
		id, key, shown := Shown(r, false)
		asShipper, _, shipperShown := Shown(r, true)
		if shown != shipperShown {
			t.Fatalf("%q is shown to one and not to the other", header)
		}
		if !shown && (id != "" || key != "") {
			t.Fatalf("%q shows nothing and gives %q %q", header, id, key)
		}
		if id != "" && (asShipper != id || !strings.Contains(header, tokenPrefix+id)) {
			t.Fatalf("%q gives a program %q and a shipper %q", header, id, asShipper)
		}
	})
}

func TestAStoredTextThatIsNoHashMatchesNothing(t *testing.T) {
	good := hash("correct horse battery")
	if !matches(good, "correct horse battery") || matches(good, "correct horse batterz") || matches(good, "") {
		t.Fatal("a hash does not tell its password from others")
	}
	for _, stored := range []string{
		"", "correct horse battery", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=999", 1), strings.Replace(good, "m=19456", "m=x", 1),
		good[:strings.LastIndex(good, "$")+1], good + "$", good[1:], good[:len(good)-4], strings.Repeat("$", 5),
	} {
		for _, password := range []string{"", "correct horse battery", stored} {
			if matches(stored, password) {
				t.Errorf("%q lets %q in", stored, password)
			}
		}
	}
}
