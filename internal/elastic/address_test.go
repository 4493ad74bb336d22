package elastic_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/internal/elastic"
)

func TestNewRefusesWhatCannotWork(t *testing.T) {
	url := []string{"https://es1:9200"}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		o    elastic.Options
		want []string
	}{
		{"no address", elastic.Options{}, []string{"urls is empty"}},
		{"both addresses", elastic.Options{URLs: url, CloudID: "a:b"}, []string{"urls and cloud_id are both set"}},
		{"not a URL", elastic.Options{URLs: []string{"https://u:topsecret@es1:port"}}, []string{"urls[0] is not a URL"}},
		{"no scheme", elastic.Options{URLs: []string{"es1:9200"}}, []string{"urls[0] does not begin with https://"}},
		{"other scheme", elastic.Options{URLs: []string{"https://a", "ftp://u:topsecret@b"}}, []string{"urls[1] does not begin"}},
		{"no host", elastic.Options{URLs: []string{"https://u:topsecret@"}}, []string{"urls[0] names no host"}},
		{"parameters", elastic.Options{URLs: []string{"https://a/?key=topsecret"}}, []string{"urls[0] has a ? or # part"}},
		{"two users", elastic.Options{URLs: []string{"https://u:topsecret@a", "https://v:topsecret@b"}}, []string{"urls[1] has another user"}},
		{"user here and there", elastic.Options{URLs: []string{"https://u:topsecret@a"}, Username: "v", Password: "topsecret"}, []string{"urls holds another user"}},
		{"key and user", elastic.Options{URLs: url, APIKey: "id:topsecret", Username: "u", Password: "topsecret"}, []string{"api_key and username or password are both set"}},
		{"key and user in the URL", elastic.Options{URLs: []string{"https://u:topsecret@a"}, APIKey: "id:topsecret"}, []string{"api_key and username or password are both set"}},
		{"password alone", elastic.Options{URLs: url, Password: "topsecret"}, []string{"username is not"}},
		{"user alone", elastic.Options{URLs: url, Username: "u"}, []string{"password is not"}},
		{"colon in user", elastic.Options{URLs: url, Username: "u:v", Password: "topsecret"}, []string{"username holds a colon"}},
		{"key of other kind", elastic.Options{URLs: url, APIKey: "topsecret"}, []string{"api_key is neither id:key nor"}},
		{"half a key", elastic.Options{URLs: url, APIKey: ":topsecret"}, []string{"api_key is neither"}},
		{"key with a break", elastic.Options{URLs: url, APIKey: "id:top\nsecret"}, []string{"api_key is neither"}},
		{"base64 without a colon", elastic.Options{URLs: url, APIKey: "dG9wc2VjcmV0"}, []string{"api_key is neither"}},
		{"CA missing", elastic.Options{URLs: url, CAFile: "missing.pem"}, []string{"read ca_file", "missing.pem"}},
		{"CA empty", elastic.Options{URLs: url, CAFile: empty}, []string{"holds no certificate"}},
		{"CA twice", elastic.Options{URLs: url, CAFile: empty, CAFingerprint: strings.Repeat("ab", 32)}, []string{"ca_file and ca_fingerprint are both set"}},
		{"SHA-1", elastic.Options{URLs: url, CAFingerprint: strings.Repeat("ab", 20)}, []string{"ca_fingerprint is not a SHA-256"}},
		{"not hex", elastic.Options{URLs: url, CAFingerprint: strings.Repeat("xy", 32)}, []string{"ca_fingerprint is not a SHA-256"}},
		{"proxy without scheme", elastic.Options{URLs: url, ProxyURL: "proxy:3128"}, []string{"proxy_url is not"}},
		{"proxy unreadable", elastic.Options{URLs: url, ProxyURL: "http://u:topsecret@proxy:port"}, []string{"proxy_url is not"}},
		{"time-out", elastic.Options{URLs: url, Timeout: -1}, []string{"timeout is negative"}},
		{"cloud id", elastic.Options{CloudID: "mine:!!!"}, []string{"cloud_id cannot be read"}},
		{
			"all at once",
			elastic.Options{APIKey: "topsecret", CAFingerprint: "x", ProxyURL: ":", Timeout: -1},
			[]string{"urls is empty", "api_key", "ca_fingerprint", "proxy_url", "timeout"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := elastic.New(tc.o)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwant %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "topsecret") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestCloudIDNamesTheCluster(t *testing.T) {
	for _, tc := range []struct{ decoded, want string }{
		{"eu-west-1.aws.found.io$es123$kb456", "https://es123.eu-west-1.aws.found.io:443"},
		{"eu-west-1.aws.found.io:9243$es123$kb456", "https://es123.eu-west-1.aws.found.io:9243"},
		{"eu-west-1.aws.found.io$es123:9244$kb456:9245", "https://es123.eu-west-1.aws.found.io:9244"},
		{"eu-west-1.aws.found.io:9243$es123:9244$", "https://es123.eu-west-1.aws.found.io:9244"},
		{"found.io:$es123", "https://es123.found.io:443"},
		{"found.io$$kb456", ""},
		{"$es123$kb456", ""},
		{"found.io", ""},
		{"found.io/path$es123$kb", ""},
		{"a@found.io$es123$kb", ""},
	} {
		encoded := base64.StdEncoding.EncodeToString([]byte(tc.decoded))
		for _, id := range []string{"my:deployment:" + encoded, "label:" + strings.TrimRight(encoded, "="), encoded} {
			var asked string
			c, err := elastic.New(elastic.Options{CloudID: id, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked = r.URL.Scheme + "://" + r.URL.Host
				return respond(r, 200, `{}`), nil
			})})
			if tc.want == "" {
				if err == nil {
					t.Errorf("%s: accepted", tc.decoded)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", tc.decoded, err)
				continue
			}
			if err := c.Do(t.Context(), http.MethodGet, "/", nil, nil, nil); err != nil || asked != tc.want {
				t.Errorf("%s: asked %s, %v; want %s", tc.decoded, asked, err, tc.want)
			}
			if c.Insecure() {
				t.Error("https is secure")
			}
		}
	}
}

func TestCredentialsAreSentAsTheClusterReadsThem(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("id:topsecret"))
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("us er:p@ss:word"))
	for _, tc := range []struct {
		name string
		o    elastic.Options
		want string
	}{
		{"none", elastic.Options{}, ""},
		{"id:key", elastic.Options{APIKey: "id:topsecret"}, "ApiKey " + encoded},
		{"base64", elastic.Options{APIKey: " " + encoded + "\n"}, "ApiKey " + encoded},
		{"unpadded", elastic.Options{APIKey: strings.TrimRight(encoded, "=")}, "ApiKey " + encoded},
		{"universal", elastic.Options{APIKey: "essu_abc=="}, "ApiKey essu_abc=="},
		{"user", elastic.Options{Username: "us er", Password: "p@ss:word"}, basic},
		{"user in the URL", elastic.Options{URLs: []string{"http://us%20er:p%40ss%3Aword@es1:9200/base/"}}, basic},
		{"user in both, the same", elastic.Options{URLs: []string{"http://us%20er:p%40ss%3Aword@es1:9200"}, Username: "us er", Password: "p@ss:word"}, basic},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got, address string
			tc.o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				got, address = r.Header.Get("Authorization"), r.URL.String()
				return respond(r, 200, `{}`), nil
			})
			if tc.o.URLs == nil {
				tc.o.URLs = []string{"http://es1:9200"}
			}
			c := client(t, tc.o)
			if err := c.Do(t.Context(), http.MethodGet, "/i/_search", nil, nil, nil); err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if strings.Contains(address, "@") || strings.Contains(address, "//i") {
				t.Error(address)
			}
			if !c.Insecure() {
				t.Error("http is insecure")
			}
		})
	}
}

// A server or proxy may repeat what it was sent; then our own texts must not.
func TestSecretsDoNotLeak(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		auth := r.Header.Get("Authorization")
		switch r.URL.Query().Get("as") {
		case "json":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"error":{"type":"security_exception","reason":"%s %s %s"}}`, auth, user, password)
		case "redirect":
			w.Header().Set("Location", "https://"+user+":"+password+"@else.example/?token="+password)
			w.WriteHeader(http.StatusFound)
		case "partial":
			fmt.Fprintf(w, `{"_shards":{"total":2,"successful":1,"failed":1,"failures":[{"reason":{"type":"x","reason":"%s %s"}}]},"hits":{"hits":[]}}`, auth, password)
		case "bulk":
			fmt.Fprintf(w, `{"items":[{"index":{"status":400,"error":{"type":"x","reason":"%s %s"}}}]}`, auth, password)
		case "garbage":
			fmt.Fprint(w, auth+" "+password)
		default:
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<html>"+auth+" "+password)
		}
	})
	server := httptest.NewServer(echo)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for name, o := range map[string]elastic.Options{
		"user":  {Name: "siem", URLs: []string{server.URL}, Username: "elastic", Password: "top/secret"},
		"URL":   {Name: "siem", URLs: []string{"http://elastic:top%2Fsecret@" + host}},
		"key":   {Name: "siem", URLs: []string{server.URL}, APIKey: "keyid:top/secret"},
		"key64": {Name: "siem", URLs: []string{server.URL}, APIKey: base64.StdEncoding.EncodeToString([]byte("keyid:top/secret"))},
		"dead":  {Name: "siem", URLs: []string{"http://elastic:top%2Fsecret@127.0.0.1:1"}, ProxyURL: "http://u:top%2Fsecret@127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			o.Log = textLog(&log)
			c := client(t, o)
			var texts []string
			for _, as := range []string{"json", "redirect", "partial", "garbage", "html", "bulk"} {
				_, err := c.Search(t.Context(), elastic.Search{Params: map[string][]string{"as": {as}}})
				texts = append(texts, fmt.Sprint(err), fmt.Sprintf("%+v %#v", err, err))
			}
			texts = append(texts, fmt.Sprintf("%v %+v %#v %v %+v %#v", o, o, o, c, c, c), o.LogValue().String())
			o.Log.Info("options", "o", o, "c", c)
			texts = append(texts, log.String())
			for _, text := range texts {
				for _, secret := range []string{"top/secret", "top%2Fsecret", base64.StdEncoding.EncodeToString([]byte("keyid:top/secret")), base64.StdEncoding.EncodeToString([]byte("elastic:top/secret"))} {
					if strings.Contains(text, secret) {
						t.Errorf("tells %s: %s", secret, text)
					}
				}
			}
		})
	}
}
