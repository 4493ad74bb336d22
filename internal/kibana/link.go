package kibana

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
)

// isoMillis is how Kibana writes a time into a link.
const isoMillis = "2006-01-02T15:04:05.000Z"

// release is the version of the Kibana that wrote a document, as far as links differ by it.
type release struct{ major, minor int }

func (r release) before(major, minor int) bool {
	return r.major < major || r.major == major && r.minor < minor
}

// release tells the version from kibana.version, else from the document's shape: 7.x keeps a
// version of its own index template from 7.10 on.
func (w *walk) release() release {
	major, rest, _ := strings.Cut(w.text(slotVersion), ".")
	minor, _, _ := strings.Cut(rest, ".")
	if n, err := strconv.Atoi(major); err == nil && n > 0 {
		m, _ := strconv.Atoi(minor)
		return release{n, m}
	}
	switch {
	case w.got[slotUUID] != nil || w.got[slotRuleUUID] != nil || w.got[slotRuleName] != nil:
		return release{8, 8}
	case w.got[slotSignalMeta] != nil:
		return release{7, 10}
	}
	return release{7, 6}
}

// link sets the alert's and the rule's URL. The configured address of Kibana is preferred to what
// documents say: it is the one people here can open.
func (p *Parser) link(a *alert.Alert) {
	w := &p.walk
	version := w.release()
	if p.kibanaURL == "" {
		if own := w.text(slotURL); isLink(own) {
			a.URL = own
		}
	}
	app := p.kibanaURL
	if app != "" {
		if p.space != defaultSpace {
			app += "/s/" + url.PathEscape(p.space)
		}
		if version.before(7, 10) {
			app += "/app/siem"
		} else {
			app += "/app/security"
		}
	} else {
		// The rule remembers the address it was made at, with its space and app.
		app = strings.TrimRight(w.text(slotRuleMeta, slotSignalRuleMeta), "/")
		if !isLink(app) {
			return
		}
	}
	hash := ""
	if version.before(7, 10) {
		hash = "#"
	}
	if a.URL == "" {
		a.URL = app + hash + p.alertPath(a, version)
	}
	if a.Rule.UUID == "" {
		return
	}
	if version.before(8, 0) {
		a.Rule.URL = app + hash + "/detections/rules/id/" + url.PathEscape(a.Rule.UUID)
	} else {
		a.Rule.URL = app + "/rules/id/" + url.PathEscape(a.Rule.UUID)
	}
}

// alertPath is the page of one alert below the app: from 8.8 on Kibana has a redirect to it, before
// that it is a search for the alert's id.
func (p *Parser) alertPath(a *alert.Alert, version release) string {
	if !version.before(8, 8) {
		path := "/alerts/redirect/" + url.PathEscape(a.SourceID) + "?index=" + alertsPrefix + url.QueryEscape(p.space)
		if !a.Time.IsZero() {
			path += "&timestamp=" + a.Time.Format(isoMillis)
		}
		return path
	}
	page := "/alerts"
	if version.before(8, 0) {
		page = "/detections"
	}
	path := page + "?query=" + escapeRison("(language:kuery,query:"+risonString(`_id: "`+strings.ReplaceAll(a.SourceID, `"`, `\"`)+`"`)+")")
	if !a.Time.IsZero() {
		span := "timerange:(from:" + risonString(a.Time.Format(isoMillis)) + ",kind:absolute,to:" +
			risonString(a.Time.Add(5*time.Minute).Format(isoMillis)) + ")"
		path += "&timerange=" + escapeRison("(global:(linkTo:!(),"+span+"))")
	}
	return path
}

// risonString quotes a text in Rison, the notation Kibana keeps its state in.
func risonString(s string) string {
	return "'" + strings.NewReplacer("!", "!!", "'", "!'").Replace(s) + "'"
}

// escapeRison percent-encodes Rison for a query; Kibana reads no plus as a space.
func escapeRison(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
