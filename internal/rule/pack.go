package rule

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed pack
var packFiles embed.FS

// Pack are the rules of the starter pack, in the order of their ids. None of them runs until it is enabled,
// which makes it a rule of the database. The slice is the caller's own.
func Pack() []Entry { return append([]Entry{}, readPack()...) }

var readPack = sync.OnceValue(func() []Entry {
	entries, err := packIn(packFiles, "pack")
	if err != nil {
		panic("the starter pack of this build is broken: " + err.Error())
	}
	return entries
})

// packIn reads the rules of a directory.
func packIn(tree fs.FS, dir string) ([]Entry, error) {
	below, err := fs.Sub(tree, dir)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(below, "*.yaml")
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, name := range names {
		content, err := fs.ReadFile(below, name)
		if err != nil {
			return nil, err
		}
		r, err := Parse(content, ParseOptions{File: path.Join(dir, name), ID: strings.TrimSuffix(name, ".yaml")})
		if err != nil {
			return nil, fmt.Errorf("rule of the pack: %w", err)
		}
		out = append(out, Entry{ID: r.ID, Origin: FromPack, Rule: r, File: path.Join(dir, name), Content: content, tree: below})
	}
	return out, nil
}

// FindInPack is the rule of the pack of an id or a name; a *NotFoundError without one.
func FindInPack(name string) (Entry, error) { return find(Pack(), name) }
