package config

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"tocsin/internal/duration"
)

var (
	nameForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	spaceForm = regexp.MustCompile(`^[a-z0-9_-]+$`)
)

// nameRule is the sentence of nameForm.
const nameRule = "is not a name: use letters, digits, and - _ . after the first"

// sources reads the sources. Without the section there is the embedded engine.
func (d *decoder) sources(root *mapping) []Source {
	if !root.has("sources") {
		root.ask("sources")
		return defaultSources()
	}
	before := len(d.problems)
	items, _ := root.list("sources")
	d.noSources = len(d.problems) > before
	var sources []Source
	first := map[string]int{}
	embedded := 0
	for _, it := range items {
		m := d.mapping(it.node, it.key, it.place)
		s, name := d.readSource(m)
		if s.Kind == Embedded {
			if embedded > 0 {
				d.problem(m.placeOf("kind"), fmt.Sprintf("%s is a second embedded source, the first is on line %d: there is one embedded engine; delete one", m.key, embedded))
			} else {
				embedded = m.place.Line
			}
		}
		if s.Name != "" {
			if line, again := first[s.Name]; again {
				d.wrong(name, fmt.Sprintf("is the name of the source on line %d too: give each its own", line))
				continue
			}
			first[s.Name] = name.place.Line
		}
		sources = append(sources, s)
	}
	return sources
}

func (d *decoder) readSource(m *mapping) (s Source, name text) {
	name, ok := m.text("name")
	switch {
	case ok && !nameForm.MatchString(name.value):
		d.wrong(name, nameRule)
	case ok:
		s.Name = name.value
	case !m.has("name"):
		m.missing("name: write one, such as name: siem")
	}
	kind, ok := m.oneOf("kind", string(Elasticsearch), string(OpenSearch), string(Embedded))
	s.Kind = Kind(kind)
	if !ok && !m.has("kind") {
		m.missing("kind: write kind: elasticsearch, opensearch or embedded")
	}
	d.connection(m, &s)
	d.store(m, &s)
	s.Indices = d.indices(m)
	m.close()
	return s, name
}

// connection reads how the cluster is reached; the embedded engine needs nothing of it.
func (d *decoder) connection(m *mapping, s *Source) {
	if s.Kind == Embedded {
		for _, name := range []string{"urls", "cloud_id", "api_key", "api_key_file", "username", "password", "password_file", "ca_file", "ca_fingerprint", "proxy_url", "search_timeout", "ingested_field"} {
			if _, ok := m.ask(name); ok {
				d.problem(m.placeOf(name), join(m.key, name)+" means nothing here: an embedded source is inside Tocsin; delete it")
			}
		}
		return
	}
	d.addresses(m, s)
	d.credentials(m, s)
	if path, t, ok := m.path("ca_file"); ok {
		pem, err := readFile(path)
		switch {
		case err != nil:
			d.wrong(t, fmt.Sprintf("cannot be read: %v", err))
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			d.wrong(t, "holds no certificate: it must be PEM, with a BEGIN CERTIFICATE line")
		default:
			s.CAFile = path
		}
	}
	if t, ok := m.word("ca_fingerprint"); ok {
		digits := strings.ToLower(strings.ReplaceAll(t.value, ":", ""))
		if b, err := hex.DecodeString(digits); err != nil || len(b) != 32 {
			d.wrong(t, "is not a SHA-256 fingerprint: write its 64 hex digits, with or without colons")
		} else {
			s.CAFingerprint = digits
		}
	}
	if m.has("ca_file") && m.has("ca_fingerprint") {
		d.problem(m.placeOf("ca_fingerprint"), m.key+" has both ca_file and ca_fingerprint: delete one")
	}
	s.ProxyURL = m.proxyURL("proxy_url")
	if t, ok := m.text("ingested_field"); ok {
		if t.value == "" || strings.ContainsFunc(t.value, unicode.IsSpace) || strings.ContainsAny(t.value, `"*:(){}`) {
			d.wrong(t, "is not the name of a field, such as event.ingested")
		} else {
			s.IngestedField = t.value
		}
	}
	s.SearchTimeout = m.duration("search_timeout", defaultSearchTimeout, time.Second)
}

// store reads what the embedded engine keeps; a cluster decides that itself.
func (d *decoder) store(m *mapping, s *Source) {
	if s.Kind != Embedded {
		for _, name := range []string{"retention", "max_size", "min_free"} {
			if _, ok := m.ask(name); ok && s.Kind != "" {
				d.problem(m.placeOf(name), join(m.key, name)+" means nothing here: only an embedded source keeps events itself; delete it")
			}
		}
		return
	}
	if t, ok := m.word("retention"); ok && t.value != "off" {
		switch v, err := duration.Parse(t.value); {
		case err != nil:
			d.wrong(t, err.Error()+", or off")
		case v < leastRetention:
			d.wrong(t, "is too short: the least is "+duration.Format(leastRetention)+", as events go by whole days")
		default:
			s.Store.Retention = v
		}
	}
	s.Store.MaxBytes = m.size("max_size", 0, leastMaxSize, true)
	s.Store.MinFree = m.size("min_free", defaultMinFree, leastMinFree, false)
}

// addresses reads urls or cloud_id.
func (d *decoder) addresses(m *mapping, s *Source) {
	before := len(d.problems)
	urls, _ := m.texts("urls")
	empty := m.has("urls") && len(urls) == 0 && len(d.problems) == before
	for _, t := range urls {
		u, ok := d.url(t, "https", "http")
		if !ok {
			continue
		}
		if u.Scheme == "http" {
			d.warn(t.place, t.String()+" is plain http: what is read and the credentials go over the network unencrypted; use https://")
		}
		s.URLs = append(s.URLs, u)
	}
	cloud, ok := m.word("cloud_id")
	if ok {
		if validCloudID(cloud.value) {
			s.CloudID = cloud.value
		} else {
			d.wrong(cloud, "is not a cloud id: copy it whole from the deployment's page, as name:letters")
		}
	}
	switch {
	case m.has("urls") && m.has("cloud_id"):
		d.problem(m.placeOf("cloud_id"), m.key+" has both urls and cloud_id: delete one")
	case !m.has("urls") && !m.has("cloud_id"):
		m.missing("urls: write urls: [https://localhost:9200], or cloud_id")
	case empty:
		d.problem(m.placeOf("urls"), join(m.key, "urls")+" is an empty list: write at least one URL")
	}
}

// validCloudID checks the form of Elastic's cloud ids: a label, a colon, and the base64 of
// host$elasticsearch$kibana.
func validCloudID(id string) bool {
	i := strings.LastIndex(id, ":")
	if i < 0 {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(id[i+1:])
	if err != nil {
		return false
	}
	parts := strings.Split(string(decoded), "$")
	return len(parts) >= 2 && parts[0] != "" && parts[1] != "" && !strings.ContainsFunc(string(decoded), unicode.IsSpace)
}

// credentials reads api_key, or username and password.
func (d *decoder) credentials(m *mapping, s *Source) {
	if key, t, ok := m.secret("api_key", false); ok {
		id, secret, pair := strings.Cut(key.Reveal(), ":")
		if pair && (id == "" || secret == "") {
			d.wrong(t, "is not an API key: write id:key, or the base64 of it")
		} else {
			s.APIKey = key
		}
	}
	user, ok := m.text("username")
	if ok {
		if strings.ContainsFunc(user.value, unicode.IsControl) || strings.Contains(user.value, ":") {
			d.wrong(user, "is not a user name: it must hold no colon and no control character")
		} else {
			s.Username = user.value
		}
	}
	s.Password, _, _ = m.secret("password", true)
	switch {
	case m.hasSecret("api_key") && (m.has("username") || m.hasSecret("password")):
		d.problem(m.place, m.key+" has both an API key and a user: delete one")
	case m.has("username") && !m.hasSecret("password"):
		d.problem(m.placeOf("username"), m.key+" has a username and no password: write password or password_file")
	case !m.has("username") && m.hasSecret("password"):
		d.problem(m.place, m.key+" has a password and no username: write username")
	}
}

// indices reads index patterns.
func (d *decoder) indices(m *mapping) []string {
	texts, _ := m.texts("indices")
	var indices []string
	for _, t := range texts {
		dateMath := strings.HasPrefix(t.value, "<") && strings.HasSuffix(t.value, ">")
		switch {
		case strings.Contains(t.value, ","):
			d.wrong(t, "holds a comma: write each pattern as a value of its own")
		case strings.ContainsFunc(t.value, unicode.IsSpace), !dateMath && strings.ContainsAny(t.value, `\/?"<>|#`):
			d.wrong(t, "is not an index pattern: it must hold no space and none of \\ / ? \" < > | #")
		default:
			indices = append(indices, t.value)
		}
	}
	return indices
}
