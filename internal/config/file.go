package config

import (
	"fmt"
	"strings"
	"unicode"
)

// path reads a key that must be a path; path is relative to the file's directory made relative
// to the working directory.
func (m *mapping) path(name string) (path string, t text, ok bool) {
	t, ok = m.text(name)
	if !ok {
		return "", t, false
	}
	if strings.ContainsRune(t.value, 0) {
		m.d.wrong(t, "is not a path: it holds a zero byte")
		return "", t, false
	}
	if t.value == "~" || strings.HasPrefix(t.value, "~/") {
		m.d.wrong(t, "begins with ~, which only a shell knows: write ${HOME}")
		return "", t, false
	}
	return m.d.relative(t.value), t, true
}

// secret reads a secret from its key, or from the file that the key with _file names. A password
// may hold spaces; other secrets may not.
func (m *mapping) secret(name string, spaces bool) (s Secret, t text, ok bool) {
	inFile := name + "_file"
	if e, found := m.ask(name); found {
		t, ok = m.d.scalar(e.value, join(m.key, name), e.valuePlace, false, true)
	}
	if m.has(inFile) && m.d.sectionAt(m.placeOf(inFile)) != nil {
		m.ask(inFile)
		m.d.problem(m.placeOf(inFile), join(m.key, inFile)+" is read in the file only: write the secret itself, which is kept encrypted")
		return "", t, false
	}
	path, pathText, fromFile := m.path(inFile)
	if m.has(name) && m.has(inFile) {
		m.d.problem(m.placeOf(inFile), fmt.Sprintf("%s and %s are both set: delete one", join(m.key, name), join(m.key, inFile)))
		return "", t, false
	}
	if fromFile {
		held, err := readFile(path)
		if err != nil {
			m.d.wrong(pathText, fmt.Sprintf("cannot be read: %v", err))
			return "", pathText, false
		}
		t = text{key: pathText.key, place: pathText.place, secret: true, node: pathText.node}
		t.value = strings.TrimRight(string(held), "\r\n")
		if strings.TrimSpace(t.value) == "" {
			m.d.wrong(pathText, "names an empty file: put the secret into it")
			return "", t, false
		}
		ok = true
	}
	if !ok {
		return "", t, false
	}
	bad := unicode.IsControl
	what := "a control character, such as a line's end"
	if !spaces {
		bad = func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }
		what = "a space or a line's end"
	}
	if strings.ContainsFunc(t.value, bad) {
		m.d.wrong(t, "holds "+what+": write the secret alone")
		return "", t, false
	}
	return Secret(t.value), t, true
}

// hasSecret says whether the file has a secret's key or the key of its file.
func (m *mapping) hasSecret(name string) bool { return m.has(name) || m.has(name+"_file") }
