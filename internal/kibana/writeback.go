package kibana

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/alert"
	"tocsin/internal/elastic"
	"tocsin/internal/sleep"
)

// WriteBackPart is the part of health that write-back speaks of.
const WriteBackPart = "write-back"

// Unwritten is an alert whose content has not been written back.
type Unwritten struct {
	Alert    alert.Alert
	Seq      int64
	Revision string // of the content
	Before   bool   // an older content was written back
}

// Record is where alerts to be written back are found, and where it is noted that they were.
type Record interface {
	// Unwritten gives what is not written after a sequence number, in its order: at most limit alerts of about
	// size bytes, at least one where there is one.
	Unwritten(ctx context.Context, after int64, limit, size int) ([]Unwritten, error)
	// SetWritten notes which revisions have been written, by sequence number; all or none.
	SetWritten(ctx context.Context, revisions map[int64]string) error
}

// WriteBackOptions say where alerts are written.
type WriteBackOptions struct {
	Client *elastic.Client
	Space  string
	Record Record
	// Poll is how often is looked for alerts to write; default 2s.
	Poll time.Duration
	// Report is told how write-back is; nil error is well.
	Report     func(part string, err error, hint string)
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil registers nothing
}

// WriteBack writes alerts of our own rules as documents in the shape of Kibana 8. Each alert is written once
// at least, with its id as _id, in the order of recording; a later content updates the document.
type WriteBack struct {
	o       WriteBackOptions
	index   string
	written prometheus.Counter
	refused prometheus.Counter
	// refusals are the alerts whose last content was refused for good, in this process; the last one's reason.
	refusals map[alert.ID]bool
	last     string
	whole    string // the cluster's type for objects kept whole; "" until known
}

// Bounds of one request, and how long is waited after a failure.
const (
	writeBackBatch = 200
	writeBackBytes = 4 << 20
	writeBackPoll  = 2 * time.Second
	writeBackFirst = time.Second
	writeBackMost  = time.Minute
)

// NewWriteBack checks the options. Nothing is written before Run.
func NewWriteBack(o WriteBackOptions) (*WriteBack, error) {
	if o.Client == nil || o.Record == nil || o.Space == "" {
		return nil, errors.New("write back: Client, Record and Space are required")
	}
	if o.Poll == 0 {
		o.Poll = writeBackPoll
	}
	if o.Report == nil {
		o.Report = func(string, error, string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &WriteBack{
		o: o, index: WriteBackPrefix + o.Space, refusals: map[alert.ID]bool{},
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_write_back_written_total", Help: "Contents of alerts written back to the cluster.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_write_back_refused_total", Help: "Contents of alerts that the cluster refused for good.",
		}),
	}
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{w.written, w.refused} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("write back: %w", err)
			}
		}
	}
	return w, nil
}

// Index is the name of the index written to.
func (w *WriteBack) Index() string { return w.index }

// Run writes until ctx ends, and returns nil then. No failure ends it: it is reported, and tried again later
// and later, at most every minute.
func (w *WriteBack) Run(ctx context.Context) error {
	wait := writeBackFirst
	for {
		more, err := w.round(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		pause := w.o.Poll
		switch {
		case err != nil:
			w.o.Report(WriteBackPart, err, writeBackHint(err))
			pause, wait = retryAfter(err, wait), min(2*wait, writeBackMost)
		default:
			wait = writeBackFirst
			w.o.Report(WriteBackPart, w.refusal(), "the alerts are in Tocsin and were said; a template of its own for "+WriteBackPrefix+"* can be in the way")
			if more {
				continue
			}
		}
		if sleep.For(ctx, pause) != nil {
			return nil //nolint:nilerr // told to stop
		}
	}
}

// refusal says which alerts the cluster refused for good; nil for none.
func (w *WriteBack) refusal() error {
	if len(w.refusals) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d alerts were refused for good, the last: %s", w.index, len(w.refusals), w.last)
}

func retryAfter(err error, wait time.Duration) time.Duration {
	var e *elastic.Error
	if errors.As(err, &e) && e.RetryAfter > wait {
		return min(e.RetryAfter, writeBackMost)
	}
	return wait
}

// errRefused is a single change that the cluster did not make for want of a privilege.
var errRefused = errors.New("may not be written")

func writeBackHint(err error) string {
	switch {
	case elastic.IsForbidden(err), errors.Is(err, errRefused):
		return "give the user or key create_index, index and view_index_metadata on " + WriteBackPrefix + "*: docs/least-privilege.md; Slack is not delayed"
	case elastic.IsUnauthorized(err):
		return "make a new key or password; alerts wait to be written, Slack is not delayed"
	}
	return "alerts wait to be written, and are as soon as the cluster takes them; Slack is not delayed"
}

// round writes one batch; more says that there may be another.
func (w *WriteBack) round(ctx context.Context) (more bool, err error) {
	batch, err := w.o.Record.Unwritten(ctx, 0, writeBackBatch, writeBackBytes)
	if err != nil || len(batch) == 0 {
		if err == nil && w.whole == "" {
			// Whether it could be written is known before the first alert.
			err = w.ensure(ctx)
		}
		return false, err
	}
	if err := w.ensure(ctx); err != nil {
		return false, err
	}
	done := map[int64]string{}
	err = w.write(ctx, batch, done)
	// What was written is noted also when the rest failed.
	if noted := w.o.Record.SetWritten(ctx, done); noted != nil {
		return false, errors.Join(err, noted)
	}
	return err == nil, err
}

// ensure makes the index where it is not there, and tries to install the template for it. An index made here
// has settings and mappings with it, so that a template which may not be installed is not missed.
func (w *WriteBack) ensure(ctx context.Context) error {
	path := "/" + w.index
	err := w.o.Client.Do(ctx, http.MethodHead, path, nil, nil, nil)
	there := err == nil
	if err != nil && !elastic.IsNotFound(err) {
		return fmt.Errorf("look for index %s: %w", w.index, err)
	}
	if there && w.whole != "" {
		return nil
	}
	if err := w.template(ctx); err != nil {
		return err
	}
	if there {
		return nil
	}
	for _, whole := range []string{w.whole, "flat_object"} {
		err = w.o.Client.Do(ctx, http.MethodPut, path, nil, writeBackIndex(whole), nil)
		var e *elastic.Error
		if errors.As(err, &e) && e.Type == "resource_already_exists_exception" {
			err = nil
		}
		if w.whole = whole; !isBad(err) {
			break
		}
	}
	if err != nil {
		w.whole = ""
		return fmt.Errorf("make index %s: %w", w.index, err)
	}
	return nil
}

// template installs the index template. That it may not be is no failure. It leaves in w.whole the type that
// the cluster is thought to know: Elasticsearch's flattened is not in OpenSearch.
func (w *WriteBack) template(ctx context.Context) error {
	var err error
	for _, whole := range []string{"flattened", "flat_object"} {
		err = w.o.Client.Do(ctx, http.MethodPut, "/_index_template/"+writeBackTemplate, nil, templateOf(whole), nil)
		switch {
		case err == nil:
			w.whole = whole
			return nil
		case isBad(err):
		case elastic.IsForbidden(err):
			w.o.Log.Debug("index template may not be installed; the index is made with its mappings", "template", writeBackTemplate)
			w.whole = whole
			return nil
		default:
			return fmt.Errorf("install index template %s: %w", writeBackTemplate, err)
		}
	}
	w.o.Log.Warn("index template was refused; the index is made with its mappings", "template", writeBackTemplate, "error", err.Error())
	w.whole = "flattened"
	return nil
}

// isBad reports whether a cluster cannot do what it was asked to, now or ever.
func isBad(err error) bool {
	var e *elastic.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest
}

// WriteBackFound is what is found of an index to write back to, without writing.
type WriteBackFound struct {
	Index    string
	There    bool // the index
	Template bool // the index template, as far as it may be seen
	Ours     bool // the index has our mappings
	Unseen   bool // the template may not be looked at
}

// Look tells what is there. Whether it may be written to is not known before the first alert is.
func (w *WriteBack) Look(ctx context.Context) (WriteBackFound, error) {
	f := WriteBackFound{Index: w.index}
	var mapping map[string]struct {
		Mappings struct {
			Meta struct {
				By string `json:"managed_by"`
			} `json:"_meta"`
		} `json:"mappings"`
	}
	err := w.o.Client.Do(ctx, http.MethodGet, "/"+w.index+"/_mapping", nil, nil, &mapping)
	switch {
	case elastic.IsNotFound(err):
	case err != nil:
		return f, fmt.Errorf("look for index %s: %w", w.index, err)
	default:
		f.There = true
		for _, m := range mapping {
			f.Ours = m.Mappings.Meta.By == "tocsin"
		}
	}
	err = w.o.Client.Do(ctx, http.MethodGet, "/_index_template/"+writeBackTemplate, nil, nil, nil)
	switch {
	case elastic.IsNotFound(err):
	case elastic.IsForbidden(err):
		f.Unseen = true
	case err != nil:
		return f, fmt.Errorf("look for index template %s: %w", writeBackTemplate, err)
	default:
		f.Template = true
	}
	return f, nil
}
