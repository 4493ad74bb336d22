package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html/template"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"tocsin/internal/notice"
)

// Mail says how e-mail is sent.
type Mail struct {
	Host string // of the SMTP server
	Port int    // 0 is 587 with STARTTLS; 465 is TLS from the start
	From string
	To   []string
	// Plain sends without TLS; on this machine alone.
	Plain bool
	// TLS adds to how the server is verified; nil is by the system's authorities.
	TLS *tls.Config
}

// email sends one message for each notice. Its Message-ID is made of the notice's key, by which many mail
// programs show a repeat once.
type email struct {
	mail Mail
	from string
	opts []mail.Option
	page string
}

func newEmail(o Options) (output, error) {
	m := o.Mail
	if m.Host == "" || m.From == "" || len(m.To) == 0 {
		return nil, errors.New("it needs host, from and to")
	}
	from, err := netmail.ParseAddress(m.From)
	if err != nil {
		return nil, fmt.Errorf("from %q is no address", m.From)
	}
	for _, to := range m.To {
		if _, err := netmail.ParseAddress(to); err != nil {
			return nil, fmt.Errorf("to %q is no address", to)
		}
	}
	if m.Plain && !loopback(m.Host) {
		return nil, errors.New("mail without TLS is for this machine alone: leave out plain")
	}
	if m.Port == 0 {
		m.Port = 587
	}
	opts := []mail.Option{mail.WithPort(m.Port), mail.WithTimeout(timeout)}
	switch {
	case m.Plain:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	case m.Port == 465:
		opts = append(opts, mail.WithSSL())
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.TLS != nil {
		c := m.TLS.Clone()
		c.ServerName = m.Host
		opts = append(opts, mail.WithTLSConfig(c))
	}
	if o.Username != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(o.Username), mail.WithPassword(o.Password))
	}
	return &email{mail: m, from: from.Address, opts: opts, page: o.Page}, nil
}

func (e *email) post(ctx context.Context, n notice.Notice) error {
	m := mail.NewMsg()
	if err := m.From(e.mail.From); err != nil {
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: "bad_from", Hint: "correct from"}
	}
	if err := m.To(e.mail.To...); err != nil {
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: "bad_to", Hint: "correct to"}
	}
	m.Subject(title(n))
	m.SetDateWithValue(time.Now())
	m.SetMessageIDWithValue(string(n.Key) + "." + strconv.Itoa(n.Revision) + "@" + e.from[strings.LastIndex(e.from, "@")+1:])
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Tocsin-Key", string(n.Key))
	all := lines(n)
	text := body(all, 60000)
	if e.page != "" {
		text += "\n\n" + e.page
	}
	m.SetBodyString(mail.TypeTextPlain, text)
	if err := m.AddAlternativeHTMLTemplate(mailPage, struct {
		Title string
		Text  string
		Page  string
	}{title(n), body(all, 60000), e.page}); err != nil {
		return &notice.RejectedError{Scope: notice.ScopeMessage, Code: "not_rendered", Hint: err.Error()}
	}
	c, err := mail.NewClient(e.mail.Host, e.opts...)
	if err != nil {
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: "bad_mail", Hint: err.Error()}
	}
	return judgeMail(c.DialAndSendWithContext(ctx, m))
}

var mailPage = template.Must(template.New("mail").Parse(`<!doctype html><html><body style="font-family:sans-serif">
<h3>{{.Title}}</h3><pre style="font-family:inherit;white-space:pre-wrap">{{.Text}}</pre>
{{with .Page}}<p><a href="{{.}}">Tocsin</a></p>{{end}}</body></html>`))

// judgeMail tells what an error of the mail library means for the notice.
func judgeMail(err error) error {
	var (
		sent *mail.SendError
		dial *net.OpError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &sent) && sent.IsTemp():
		return &notice.RetryError{Scope: notice.ScopeChannel, Code: "smtp_" + strconv.Itoa(sent.ErrorCode()), Err: errors.New(short(sent.Error(), 200))}
	case errors.As(err, &sent) && sent.Reason == mail.ErrSMTPDataClose && sent.ErrorCode() == 0:
		return fmt.Errorf("%w: the mail server did not say whether it took the message", notice.ErrUnknown)
	case errors.As(err, &sent) && sent.ErrorCode() >= 500:
		return &notice.RejectedError{Scope: notice.ScopeMessage, Code: "smtp_" + strconv.Itoa(sent.ErrorCode()), Hint: short(sent.Error(), 200)}
	case errors.As(err, &sent) && (sent.Reason == mail.ErrSMTPReset || sent.Reason == mail.ErrConnCheck):
		return nil // it was taken; what failed is the farewell
	case errors.As(err, &dial) && dial.Op == "dial":
		return &notice.RetryError{Scope: notice.ScopeChannel, Code: "unreachable", Err: errors.New(short(err.Error(), 200))}
	case strings.Contains(err.Error(), "auth"):
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: "smtp_auth", Hint: "check username and password: " + short(err.Error(), 200)}
	}
	return &notice.RetryError{Scope: notice.ScopeChannel, Code: "smtp", Err: errors.New(short(err.Error(), 200)), Doubtful: true}
}

func (*email) edits() bool { return false }
