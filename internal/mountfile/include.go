package mountfile

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// includes reads the files that the main file names. What is wrong in one of
// them stays with it; that a named one does not exist is the main file's own
// mistake, since nothing is known then of what it would have mounted.
func (l *loader) includes() {
	include := l.table.Root.Get("include")
	for i, pattern := range l.table.Settings.Include {
		at := include.At("[" + strconv.Itoa(i) + "]")
		for _, path := range l.matches(at, pattern) {
			l.include(at, path)
		}
	}
}

// matches gives the files of one pattern, sorted; those of a glob are none
// when there are none.
func (l *loader) matches(at *Node, pattern string) []string {
	if pattern == "" {
		l.fail(at.Errorf("include names no file"))
		return nil
	}
	path := pattern
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.table.Path), pattern)
	}
	if !strings.ContainsAny(pattern, `*?[\`) {
		return []string{path}
	}
	found, err := l.opt.Glob(path)
	if err != nil {
		l.fail(at.Errorf("%s is not a pattern of file names", at.shown()).WithHint("write it like conf.d/*.yaml"))
	}
	slices.Sort(found)
	return found
}

func (l *loader) include(at *Node, path string) {
	t := l.table
	if slices.ContainsFunc(t.Included, func(in *Included) bool { return in.Path == path }) {
		return
	}
	if filepath.Clean(path) == filepath.Clean(t.Path) {
		l.fail(at.Errorf("the table includes itself"))
		return
	}
	data, err := l.read(path)
	in := &Included{Path: path}
	if err != nil && at.Kind() == Scalar && !strings.ContainsAny(at.text, `*?[\`) {
		e := at.Errorf("read %s: %s", path, reason(err))
		e.Err = err
		l.fail(e)
		return
	}
	t.Included = append(t.Included, in)
	if err != nil {
		in.Err = Errors{{Pos: Pos{File: path}, Message: "read the included file: " + reason(err), Err: err}}
		return
	}
	l.readIncluded(in, data)
	l.warn(path, in.Root)
}

// readIncluded takes a file over, as a whole or not at all.
func (l *loader) readIncluded(in *Included, data []byte) {
	d := l.document(in.Path)
	in.Root = d.parse(data)
	errs := d.errs
	if in.Root != nil {
		if e := notMap(in.Root, "an included file"); e != nil {
			errs = append(errs, e)
		}
		errs = append(errs, misplaced(in.Root)...)
		errs = append(errs, l.checkSections(in.Root)...)
	}
	if len(errs) == 0 {
		l.define(in.Root)
		return
	}
	in.Err = Collect(in.Path, errs)
	in.salvage(d, data)
}

// misplaced finds the keys that an included file cannot have.
func misplaced(root *Node) (errs Errors) {
	for _, e := range root.entries {
		name := e.Name()
		err := e.Key.Errorf("%s cannot stand in an included file", e.Key.shown())
		switch {
		case slices.Contains(sections, name):
		case slices.Contains(topKeys, name):
			errs = append(errs, err.WithHint("write it in the main table; known here: "+strings.Join(sections, ", ")))
		default:
			err.Message = "unknown key " + e.Key.shown()
			errs = append(errs, err.WithHint(hintFor(name, sections)))
		}
	}
	return errs
}

// salvage keeps what of a file with mistakes can still be read, so that its
// mounts can be answered for: from its nodes, or from its text when it is not
// even YAML.
func (in *Included) salvage(d *document, data []byte) {
	root := in.Root
	if root == nil {
		root = d.outline(data)
	}
	for _, section := range sections {
		for _, e := range root.Get(section).Entries() {
			if section == "mounts" {
				in.Prefixes = append(in.Prefixes, e.Name())
			} else {
				in.Names = append(in.Names, e.Name())
			}
		}
	}
}
