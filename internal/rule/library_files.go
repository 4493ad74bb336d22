package rule

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tocsin/internal/store"
)

// file is a file of rules_dir.
type file struct {
	// seen is how the file looked when it was read; looked is how it looked the last time.
	seen, looked stamp
	entry        *Entry
	// kept is the content of the last good version, which outlives the process.
	kept []byte
}

// stamp tells whether a file has changed.
type stamp struct {
	at   time.Time
	size int64
}

// Run looks at rules_dir until ctx ends.
func (l *Library) Run(ctx context.Context) error {
	if l.dir == "" {
		<-ctx.Done()
		return nil
	}
	t := time.NewTicker(l.options.Poll)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		l.changing.Lock()
		err := l.readDir(ctx, false)
		l.changing.Unlock()
		if err != nil && ctx.Err() == nil {
			l.log.Error("rules of files could not be kept", "error", err)
		}
	}
}

// Reload looks at rules_dir now, and reads what has changed even if it is being written.
func (l *Library) Reload(ctx context.Context) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	return l.readDir(ctx, true)
}

// readDir reads the files that have changed. Without now, one that still changes waits for the next time. The
// caller holds l.changing. The error is the database's.
func (l *Library) readDir(ctx context.Context, now bool) error {
	if l.dir == "" {
		l.gather()
		return nil
	}
	found, err := ruleFiles(l.dir)
	if err != nil {
		// Rules are not gone because a disk is: they run as they last were.
		first := l.unread == nil
		for path, f := range l.files {
			if f.entry == nil && f.kept != nil {
				l.files[path] = l.keptRule(path, f)
			}
		}
		l.setUnread(fmt.Errorf("rules_dir %s cannot be read, and its rules run as they last were: %w", l.dir, err))
		if first {
			l.gather()
		}
		return nil
	}
	changed := now || l.unread != nil
	l.setUnread(nil)
	files := map[string]*file{}
	var keep []string
	for path, looks := range found {
		f := l.files[path]
		switch {
		case f == nil:
			f = &file{looked: looks}
			if !now { // it may just be being written
				files[path] = f
				continue
			}
		case f.seen == looks:
			f.looked = looks
			files[path] = f
			continue
		case f.looked != looks && !now:
			files[path] = &file{seen: f.seen, looked: looks, entry: f.entry, kept: f.kept}
			continue
		}
		read := l.readRule(path, looks, f)
		files[path], changed = read, true
		if read.entry.Problems == nil && string(read.kept) != string(f.kept) {
			keep = append(keep, path)
		}
	}
	var gone []string
	for path := range l.files {
		if files[path] == nil {
			gone, changed = append(gone, path), true
		}
	}
	l.mu.Lock()
	l.files = files
	l.mu.Unlock()
	if changed {
		l.gather()
	}
	return l.keepFiles(ctx, keep, gone)
}

func (l *Library) setUnread(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unread = err
}

// readRule reads one file; where it is wrong the last good version stays.
func (l *Library) readRule(path string, looks stamp, before *file) *file {
	id := idOfPath(l.dir, path)
	e, err := ReadFile(path, l.parseOptions(path, id))
	if err == nil {
		return &file{seen: looks, looked: looks, entry: e, kept: e.Content}
	}
	out := *l.keptRule(path, before).entry
	if before.entry != nil && before.entry.Rule != nil {
		out = *before.entry
	}
	out.Changed = looks.at
	out.Problems = problemsOf(err, path)
	if out.Rule == nil {
		out.Content, _ = readFile(path, mostBytes) // to show it; that it cannot be read has been told
	}
	l.log.Warn("a rule's file is wrong", "file", path, "problem", out.Problems[0].String(), "runs_as_it_was", out.Rule != nil)
	return &file{seen: looks, looked: looks, entry: &out, kept: before.kept}
}

// keptRule is a file's rule as it last was good, without one where it never was.
func (l *Library) keptRule(path string, before *file) *file {
	id := idOfPath(l.dir, path)
	e := &Entry{ID: id, Origin: FromFile, File: path}
	if before.kept != nil {
		if r, err := Parse(before.kept, l.parseOptions(path, id)); err == nil {
			e.ID, e.Rule, e.Content = r.ID, r, before.kept
		}
	}
	return &file{entry: e, kept: before.kept}
}

// ruleFiles are the rules below a directory and how they look. What begins with a dot is none.
func ruleFiles(dir string) (map[string]stamp, error) {
	out := map[string]stamp{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			if errors.Is(err, fs.ErrNotExist) && path != dir { // gone while we looked
				return nil
			}
			return err
		case path != dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		if ext := strings.ToLower(filepath.Ext(path)); ext != ".yaml" && ext != ".yml" {
			return nil
		}
		st, err := os.Stat(path) // where a link leads
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if st.Mode().IsRegular() {
			out[path] = stamp{st.ModTime().UTC(), st.Size()}
		}
		return nil
	})
	return out, err
}

// idOfPath makes an id of a file's path below the directory.
func idOfPath(dir, path string) string {
	if below, err := filepath.Rel(dir, path); err == nil {
		path = below
	}
	path = filepath.ToSlash(strings.TrimSuffix(path, filepath.Ext(path)))
	id := strings.TrimLeft(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./-", r) {
			return r
		}
		return '-'
	}, path), "./-")
	if id == "" {
		return "rule"
	}
	return id[:min(len(id), 200)]
}

// loadKept reads the last good versions of files.
func (l *Library) loadKept(ctx context.Context) error {
	if l.dir == "" {
		return nil
	}
	return l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			var (
				path    string
				content []byte
			)
			if err := r.Scan(&path, &content); err != nil {
				return err
			}
			path = filepath.Join(l.dir, filepath.FromSlash(path))
			l.files[path] = &file{kept: content}
			return nil
		}, `SELECT path, content FROM rule_files`)
	})
}

// keepFiles writes the last good versions of files, by their paths below the directory.
func (l *Library) keepFiles(ctx context.Context, keep, gone []string) error {
	if len(keep)+len(gone) == 0 {
		return nil
	}
	below := func(path string) string {
		if rel, err := filepath.Rel(l.dir, path); err == nil {
			path = rel
		}
		return filepath.ToSlash(path)
	}
	return l.db.Update(ctx, func(tx *store.Tx) error {
		for _, path := range gone {
			if err := tx.Exec(`DELETE FROM rule_files WHERE path = ?`, below(path)); err != nil {
				return fmt.Errorf("forget the rule of %s: %w", path, err)
			}
		}
		for _, path := range keep {
			f := l.files[path]
			err := tx.Exec(`INSERT INTO rule_files (path, content, read_at) VALUES (?, ?, ?)
				ON CONFLICT (path) DO UPDATE SET content = excluded.content, read_at = excluded.read_at`, below(path), f.kept, store.Micros(time.Now()))
			if err != nil {
				return fmt.Errorf("keep the rule of %s: %w", path, err)
			}
		}
		return nil
	})
}
