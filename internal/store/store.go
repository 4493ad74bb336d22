// Package store owns the database: one SQLite file in the data directory, the lock that keeps a second
// process out of it, migrations, and the two ways to touch it, Update and View. It knows no table:
// rooms own their tables and bring their migrations.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Migration is one step of a room's schema. Once released a step never changes; a later step changes
// what it made.
type Migration struct {
	ID  string // "ledger/1": the room and the step
	SQL string // statements ended by semicolons
}

// Options say where the database is and what must be in it.
type Options struct {
	Dir        string // made with mode 0700 when absent
	Migrations []Migration
}

// DB is an open database. Its methods may be called from several goroutines; updates wait for each other.
type DB struct {
	lock *flock.Flock

	writing  sync.Mutex // held for the length of an Update
	pool     *sql.DB    // holds the one connection that writes
	writer   *sql.Conn
	prepared map[string]*sql.Stmt // on the writer; queries are constants of the rooms, so it is bounded

	read *sql.DB
}

// ServedError says that another process holds the data directory.
type ServedError struct {
	Dir string
	PID int // 0 when the holder did not say
}

func (e *ServedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is in use by %s: stop it, or give this one another data_dir", e.Dir, who)
}

// ErrDiskFull means that the file system holding the data directory has no room left.
var ErrDiskFull = errors.New("disk full")

// Open takes the lock of the directory, opens the database and brings its schema up to date. A
// directory held by another process is a *ServedError.
func Open(ctx context.Context, o Options) (*DB, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w", err)
	}
	lock, err := hold(o.Dir)
	if err != nil {
		return nil, err
	}
	db, err := open(ctx, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database in %s: %w", o.Dir, explain(err)), lock.Unlock())
	}
	db.lock = lock
	return db, nil
}

func hold(dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, "tocsin.lock")
	lock := flock.New(path, flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data_dir: %w", err)
	}
	if !taken {
		b, _ := os.ReadFile(path) // whoever holds it may not have written yet
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		return nil, &ServedError{Dir: dir, PID: pid}
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock data_dir: %w", explain(err)), lock.Unlock())
	}
	return lock, nil
}

func open(ctx context.Context, o Options) (*DB, error) {
	path := filepath.Join(o.Dir, "tocsin.db")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would make it readable by others
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	// As durable as fsync, without writing the time of the change: half the wait of a commit on ext4. Where
	// it is not to be had, it stays fsync.
	sqlite.Fdatasync(true) //nolint:errcheck // see above
	pool, err := sql.Open("sqlite", dsn(path, writing))
	if err != nil {
		return nil, err
	}
	writer, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	read, err := sql.Open("sqlite", dsn(path, reading))
	if err != nil {
		return nil, errors.Join(err, writer.Close(), pool.Close())
	}
	read.SetMaxOpenConns(4)
	db := &DB{pool: pool, writer: writer, prepared: map[string]*sql.Stmt{}, read: read}
	if err := db.migrate(ctx, o.Migrations); err != nil {
		return nil, errors.Join(err, db.disconnect())
	}
	return db, nil
}

// What the connections differ in. A look at everything leaves a cache full of what no one asks for again,
// so those that read get a small one, in KiB.
const (
	writing = "_pragma=cache_size(-8000)&"
	reading = "_pragma=query_only(1)&_pragma=cache_size(-2000)&"
)

func dsn(path, mode string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	u.RawQuery = mode + "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)" +
		"&_pragma=foreign_keys(1)&_pragma=journal_size_limit(67108864)" +
		// A page that many commits change is written back once in 4,096 pages of the log: fewer would write more
		// to the database, more would let the log grow longer, and a sync of a file that grows takes twice as long.
		"&_pragma=wal_autocheckpoint(4096)"
	return u.String()
}

func (db *DB) migrate(ctx context.Context, steps []Migration) error {
	return db.Update(ctx, func(tx *Tx) error {
		if err := tx.Exec(`CREATE TABLE IF NOT EXISTS schema_steps (id TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)`); err != nil {
			return err
		}
		done := map[string]bool{}
		err := tx.Query(func(r *sql.Rows) error {
			var id string
			defer func() { done[id] = true }()
			return r.Scan(&id)
		}, `SELECT id FROM schema_steps`)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for _, step := range steps {
			known[step.ID] = true
			if done[step.ID] {
				continue
			}
			if _, err := db.writer.ExecContext(ctx, step.SQL); err != nil {
				return fmt.Errorf("schema step %s: %w", step.ID, err)
			}
			if err := tx.Exec(`INSERT INTO schema_steps (id, applied_at) VALUES (?, ?)`, step.ID, Micros(time.Now())); err != nil {
				return err
			}
		}
		for id := range done {
			if !known[id] {
				return fmt.Errorf("the database was written by a newer tocsin (schema step %s is unknown here): use that version or a backup", id)
			}
		}
		return nil
	})
}

// Close waits for a running Update, closes the database and gives the directory free.
func (db *DB) Close() error {
	db.writing.Lock()
	defer db.writing.Unlock()
	return errors.Join(db.disconnect(), db.lock.Unlock())
}

func (db *DB) disconnect() error {
	for _, stmt := range db.prepared {
		stmt.Close() //nolint:errcheck // its connection is closed next
	}
	return errors.Join(db.writer.Close(), db.pool.Close(), db.read.Close())
}

// Update runs f in a transaction that either happens whole, on disk, or not at all. It holds the write
// lock from the start, so what f reads stays true until it commits. f must have no effects beside the
// transaction: on PostgreSQL it may run again. Update must not be called within f. A ctx that ends
// stops an Update from starting, not one that runs.
func (db *DB) Update(ctx context.Context, f func(*Tx) error) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	tx := &Tx{ctx: ctx, prepare: db.prepare}
	if err := tx.Exec("BEGIN IMMEDIATE"); err != nil {
		return explain(err)
	}
	committed := false
	defer func() {
		if !committed { // f failed or panicked, or the commit did
			tx.Exec("ROLLBACK") //nolint:errcheck // where it fails SQLite has rolled back itself
		}
	}()
	if err := f(tx); err != nil {
		return explain(err)
	}
	if err := tx.Exec("COMMIT"); err != nil {
		return explain(err)
	}
	committed = true
	return nil
}

// prepare gives the writer's statement of a query; preparing costs more than running most of ours.
func (db *DB) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := db.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := db.writer.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	db.prepared[query] = stmt
	return stmt, nil
}

// View runs f in a transaction that sees one state of the database and changes nothing.
func (db *DB) View(ctx context.Context, f func(*Tx) error) error {
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	defer tx.Rollback() //nolint:errcheck // a view has nothing to lose
	return explain(f(&Tx{ctx: ctx, prepare: tx.PrepareContext}))
}

// explain marks the errors that callers or people decide by.
func explain(err error) error {
	var e *sqlite.Error
	switch {
	case errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL, isNoSpace(err):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	default:
		return err
	}
}

// Tx is one transaction. It belongs to the goroutine that runs f and ends with it.
type Tx struct {
	ctx     context.Context
	prepare func(context.Context, string) (*sql.Stmt, error)
}

// Exec runs a statement and forgets its result.
func (t *Tx) Exec(query string, args ...any) error {
	_, err := t.Change(query, args...)
	return err
}

// Change runs a statement and tells how many rows it changed.
func (t *Tx) Change(query string, args ...any) (int64, error) {
	stmt, err := t.prepare(t.ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Row reads the one row that the query gives into dest. No row is sql.ErrNoRows.
func (t *Tx) Row(query string, args []any, dest ...any) error {
	stmt, err := t.prepare(t.ctx, query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(t.ctx, args...).Scan(dest...)
}

// Query calls each for every row, in order, and stops at its first error. each must not use the
// transaction.
func (t *Tx) Query(each func(*sql.Rows) error, query string, args ...any) error {
	stmt, err := t.prepare(t.ctx, query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Micros is how times are stored: microseconds since 1970 in UTC; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads what Micros wrote.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
