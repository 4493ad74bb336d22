package logstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/valyala/fastjson"
	_ "modernc.org/sqlite" // the driver of the id index

	"tocsin/internal/row"
)

// digest is of a document's content, whatever the order of its keys and its white space.
type digest [16]byte

func digestOf(source []byte) digest {
	parser := parsers.Get()
	defer parsers.Put(parser)
	if v, err := parser.ParseBytes(source); err == nil {
		source = canonical(make([]byte, 0, len(source)+16), v)
	}
	sum := sha256.Sum256(source)
	return digest(sum[:16])
}

// canonical appends a value with the keys of objects in order. Numbers stay as they are written.
func canonical(b []byte, v *fastjson.Value) []byte {
	switch v.Type() {
	case fastjson.TypeObject:
		type member struct {
			key   string
			value *fastjson.Value
		}
		o := v.GetObject()
		members := make([]member, 0, o.Len())
		o.Visit(func(key []byte, value *fastjson.Value) { members = append(members, member{string(key), value}) })
		slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
		b = append(b, '{')
		for _, m := range members {
			b = append(row.AppendQuoted(b, m.key), ':')
			b = append(canonical(b, m.value), ',')
		}
		return append(b, '}')
	case fastjson.TypeArray:
		b = append(b, '[')
		for _, e := range v.GetArray() {
			b = append(canonical(b, e), ',')
		}
		return append(b, ']')
	case fastjson.TypeString:
		return row.AppendQuoted(b, string(v.GetStringBytes()))
	default:
		return v.MarshalTo(b)
	}
}

// name is a document's name: ids are unique within an index.
type name struct{ index, id string }

// idIndex remembers the ids that clients chose, and what they named. It may lag behind the log, from
// which it is completed at start.
type idIndex struct {
	db *sql.DB
	// salt begins every generated id of this store.
	salt [7]byte
}

const idSchema = `
CREATE TABLE IF NOT EXISTS ids (
	idx TEXT NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL, time INTEGER NOT NULL,
	PRIMARY KEY (idx, id)
) WITHOUT ROWID;
DROP INDEX IF EXISTS ids_time;
CREATE TABLE IF NOT EXISTS store (salt BLOB NOT NULL);`

func openIDs(ctx context.Context, path string) (*idIndex, error) {
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(10000)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open the id index: %w", err)
	}
	db.SetMaxOpenConns(1)
	x := &idIndex{db: db}
	if err := x.prepare(ctx); err != nil {
		_ = db.Close() // the first error says more
		return nil, fmt.Errorf("open the id index: %w", err)
	}
	return x, nil
}

func (x *idIndex) prepare(ctx context.Context) error {
	if _, err := x.db.ExecContext(ctx, idSchema); err != nil {
		return err
	}
	var fresh [7]byte
	if _, err := rand.Read(fresh[:]); err != nil {
		return err
	}
	if _, err := x.db.ExecContext(ctx, `INSERT INTO store (salt) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM store)`, fresh[:]); err != nil {
		return err
	}
	var salt []byte
	if err := x.db.QueryRowContext(ctx, `SELECT salt FROM store`).Scan(&salt); err != nil {
		return err
	}
	copy(x.salt[:], salt)
	// The salt is in every id given out: it must not be lost with the tail of the journal.
	return x.settle(ctx)
}

// find adds to known what the index knows of the names.
func (x *idIndex) find(ctx context.Context, names []name, known map[name]digest) error {
	const chunk = 400
	for len(names) > 0 {
		part := names[:min(chunk, len(names))]
		names = names[len(part):]
		args := make([]any, 0, 2*len(part))
		for _, n := range part {
			args = append(args, n.index, n.id)
		}
		query := `SELECT idx, id, digest FROM ids WHERE (idx, id) IN (VALUES ` + strings.TrimSuffix(strings.Repeat("(?,?),", len(part)), ",") + `)`
		if err := x.scan(ctx, query, args, known); err != nil {
			return fmt.Errorf("look up ids: %w", err)
		}
	}
	return nil
}

func (x *idIndex) scan(ctx context.Context, query string, args []any, known map[name]digest) error {
	rows, err := x.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n name
		var d []byte
		if err := rows.Scan(&n.index, &n.id, &d); err != nil {
			return err
		}
		known[n] = digest(d)
	}
	return rows.Err()
}

// add stores the names of events whose id was chosen by the client.
func (x *idIndex) add(ctx context.Context, events []event) error {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store ids: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	insert, err := tx.PrepareContext(ctx, `INSERT OR IGNORE INTO ids (idx, id, digest, time) VALUES (?, ?, ?, ?)`)
	if err != nil {
		return fmt.Errorf("store ids: %w", err)
	}
	defer insert.Close() //nolint:errcheck // it ends with the transaction
	for i := range events {
		e := &events[i]
		if e.id == "" {
			continue
		}
		if _, err := insert.ExecContext(ctx, e.index, e.id, e.digest[:], e.time); err != nil {
			return fmt.Errorf("store ids: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store ids: %w", err)
	}
	return nil
}

// settle puts everything on the disk, so that the log need not keep it.
func (x *idIndex) settle(ctx context.Context) error {
	if _, err := x.db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return fmt.Errorf("settle the id index: %w", err)
	}
	return nil
}

// forget drops the ids of events older than nanos, which the engine has dropped too. It reads the whole
// index: one of times would cost each event more than this now and then.
func (x *idIndex) forget(ctx context.Context, nanos int64) error {
	if _, err := x.db.ExecContext(ctx, `DELETE FROM ids WHERE time < ?`, nanos); err != nil {
		return fmt.Errorf("forget ids of old events: %w", err)
	}
	return nil
}

// generated is the id of an event whose client chose none: 20 characters, as Elasticsearch's.
func (x *idIndex) generated(seq int64) string {
	var b [15]byte
	copy(b[:], x.salt[:])
	binary.BigEndian.PutUint64(b[7:], uint64(seq))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// seqOf is the inverse of generated.
func (x *idIndex) seqOf(id string) (int64, bool) {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(b) != 15 || [7]byte(b) != x.salt {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(b[7:])), true
}

func (x *idIndex) close() error { return x.db.Close() }
