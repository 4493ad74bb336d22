package exec

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/testkit"
)

func TestWordsEndAtUnicodesBoundaries(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, words(text)); diff != "" {
			t.Errorf("%q: -want +got %s", text, diff)
		}
	}
	f("")
	f(" -- ")
	f("___")
	f("Failed password for root", "failed", "password", "for", "root")
	f("user_name=bob", "user_name", "bob")
	f("root@host.example.com", "root", "host.example.com")
	f("10.1.2.3:22", "10.1.2.3", "22")
	f("don't 'quoted'", "don't", "quoted")
	f("1,000 a,b", "1,000", "a", "b")
	f("a:b 12:30", "a:b", "12", "30")
	f("v1.2b x-y", "v1.2b", "x", "y")
	f("end. next", "end", "next")
	f("日本語テスト ひら", "日", "本", "語", "テスト", "ひ", "ら")
	f("Größe naïve", "größe", "naïve")
	f("ok 👍🏽👨\u200d👩\u200d👧 🇩🇪🇫🇷", "ok", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "🇫🇷")
	f("cafe\u0301s", "cafe\u0301s")
}

// TestWordsAreTheStandardAnalyzers compares with real analyzers on random text of many scripts.
func TestWordsAreTheStandardAnalyzers(t *testing.T) {
	alphabet := strings.Split("😀|👍🏽|🇩🇪|👨\u200d👩\u200d👧|★|5️⃣|a|b|Z|7|0|12|.|,|;|:|'|’|_|-| | |\t|/|@|é|ß|Ω|ж|日|本|ひ|テ|ー|ｱ|한|글|ש|״|ع|٣|ก|า|\u0301|\u200d|\u00ad|·|…|！|·|x1|1x|No.5|ﬁ|Ⅷ|²|\u00a0|\"|(", "|")
	for _, kind := range testkit.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			node := testkit.Server(t, kind)
			g := rand.New(rand.NewPCG(1, 5))
			for range 700 {
				var b strings.Builder
				for range 1 + g.IntN(14) {
					b.WriteString(alphabet[g.IntN(len(alphabet))])
				}
				text := b.String()
				var answer struct {
					Tokens []struct {
						Token string `json:"token"`
					} `json:"tokens"`
				}
				node.Ask(t, http.MethodPost, "/_analyze", map[string]any{"analyzer": "standard", "text": text}, &answer)
				var want []string
				for _, token := range answer.Tokens {
					want = append(want, token.Token)
				}
				if diff := cmp.Diff(want, words(text)); diff != "" {
					t.Error(fmt.Sprintf("%+q: -analyzer +words ", text), diff)
				}
			}
		})
	}
}
