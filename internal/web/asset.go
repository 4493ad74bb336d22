package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// dist is the bundled script and style, and each compressed by Brotli, as scripts/assets/build.sh makes them.
//
//go:embed assets/dist
var dist embed.FS

// asset is one file of dist. Its address changes with its content, so that it may be kept for ever.
type asset struct {
	address string
	kind    string
	plain   []byte
	brotli  []byte
	gzip    func() []byte // compressed when first asked for; nil if it cannot be
}

// assets are the files of dist by name, and by address.
var assets, assetsByAddress = readAssets(dist)

func readAssets(files fs.FS) (byName, byAddress map[string]*asset) {
	byName, byAddress = map[string]*asset{}, map[string]*asset{}
	names, err := fs.Glob(files, "assets/dist/*")
	if err != nil {
		panic(err) // the pattern is right
	}
	for _, name := range names {
		ext := path.Ext(name)
		if ext == ".br" {
			continue
		}
		plain, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err) // it is in the program
		}
		kind := mime.TypeByExtension(ext)
		switch ext { // the system's table may differ
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".svg":
			kind = "image/svg+xml"
		}
		a := add(byName, byAddress, path.Base(name), kind, plain)
		if a.brotli, err = fs.ReadFile(files, name+".br"); err != nil {
			panic(err) // build.sh writes one for each
		}
	}
	add(byName, byAddress, "message.css", "text/css; charset=utf-8", []byte(messageStyle()))
	return byName, byAddress
}

// add puts a file among the assets.
func add(byName, byAddress map[string]*asset, name, kind string, content []byte) *asset {
	ext, sum := path.Ext(name), sha256.Sum256(content)
	a := &asset{address: "/assets/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext, kind: kind, plain: content}
	a.gzip = sync.OnceValue(func() []byte { return gzipped(content) })
	byName[name], byAddress[a.address] = a, a
	return a
}

func gzipped(text []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil // the level is right
	}
	if _, err := w.Write(text); err != nil || w.Close() != nil {
		return nil // memory takes all
	}
	return out.Bytes()
}

// assetAddress is where a file of dist is served.
func assetAddress(name string) string {
	if a := assets[name]; a != nil {
		return a.address
	}
	panic("web: dist has no " + name) // a template names it, and every template is rendered by a test
}

// serveAsset serves the bundled files. An address of another version is not found, never another content.
func serveAsset(rw http.ResponseWriter, r *http.Request) {
	a := assetsByAddress[r.URL.Path]
	if a == nil {
		fail(rw, http.StatusNotFound, "no such file: it may be of another version of tocsin; reload the page")
		return
	}
	h := rw.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	body := a.plain
	switch {
	case takes(r, "br") && a.brotli != nil:
		h.Set("Content-Encoding", "br")
		body = a.brotli
	case takes(r, "gzip"):
		if zipped := a.gzip(); zipped != nil {
			h.Set("Content-Encoding", "gzip")
			body = zipped
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	rw.Write(body) //nolint:errcheck // a reader that went away needs no answer
}

// takes reports whether a request accepts an encoding.
func takes(r *http.Request, encoding string) bool {
	for one := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, q, weighted := strings.Cut(strings.TrimSpace(one), ";")
		if !strings.EqualFold(strings.TrimSpace(name), encoding) {
			continue
		}
		weight, _ := strings.CutPrefix(strings.TrimSpace(q), "q=")
		f, err := strconv.ParseFloat(weight, 64)
		return !weighted || err == nil && f > 0
	}
	return false
}
