package errorhandler

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Page is what the templates of [Config.Pages] see. Its texts are escaped for
// where they stand.
type Page struct {
	Status     int    // 404
	StatusText string // "Not Found"
	Message    string // a sentence about what happened
	Advice     string // a sentence about what to do next; may be empty
	RequestID  string // may be empty
	Method     string
	Path       string // of the whole request, percent-encoded, without the query
}

const maxPage = 1 << 20

// page is an operator's own page.
type page struct {
	contentType string
	typ, sub    string
	template    *template.Template // nil: the text as it is
	text        []byte
}

func loadPages(fsys fs.FS, files map[string]string) (map[string]*page, []error) {
	pages := make(map[string]*page, len(files))
	var errs []error
	for _, key := range sortedKeys(files) {
		if !pageKey(key) {
			errs = append(errs, optionError{"pages." + key, fmt.Errorf("%q is neither an error status (such as 404) nor a class of them (4xx, 5xx)", key)})
			continue
		}
		p, err := loadPage(fsys, files[key])
		if err != nil {
			errs = append(errs, optionError{"pages." + key, err})
			continue
		}
		pages[strings.ToLower(key)] = p
	}
	return pages, errs
}

func pageKey(s string) bool {
	switch strings.ToLower(s) {
	case "4xx", "5xx":
		return true
	}
	n, err := strconv.Atoi(s)
	return err == nil && len(s) == 3 && n >= 400 && n <= 599
}

func loadPage(fsys fs.FS, name string) (*page, error) {
	text, err := readPage(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	p := &page{contentType: typeOf(name, text), text: text}
	media, _, err := mime.ParseMediaType(p.contentType)
	if err != nil {
		return nil, fmt.Errorf("type of page %q: %w", name, err)
	}
	p.typ, p.sub, _ = strings.Cut(media, "/")
	if media != "text/html" || !bytes.Contains(text, []byte("{{")) {
		return p, nil
	}
	t, err := template.New(filepath.Base(name)).Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	sample := Page{Status: 404, StatusText: "Not Found", Message: "-", Advice: "-", RequestID: "-", Method: "GET", Path: "/"}
	if err := t.Execute(io.Discard, sample); err != nil {
		return nil, fmt.Errorf("execute page: %w (there are Status, StatusText, Message, Advice, RequestID, Method and Path)", err)
	}
	p.template, p.text = t, nil
	return p, nil
}

func readPage(fsys fs.FS, name string) ([]byte, error) {
	var file io.ReadCloser
	var err error
	if fsys != nil {
		file, err = fsys.Open(name)
	} else {
		file, err = os.Open(name)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPage+1))
	if err == nil && len(text) > maxPage {
		err = errors.New(name + " is larger than 1 MiB")
	}
	return text, err
}

func typeOf(name string, text []byte) string {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".html", ".htm", ".tmpl", ".gohtml":
		return "text/html; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return http.DetectContentType(text)
	}
}

// pageFor gives the page of a status or of its class, or nil.
func (h *Handler) pageFor(status int) *page {
	if len(h.pages) == 0 {
		return nil
	}
	key := strconv.Itoa(status)
	if p := h.pages[key]; p != nil {
		return p
	}
	return h.pages[key[:1]+"xx"]
}

func (p *page) render(b *bytes.Buffer, data *Page) error {
	if p.template == nil {
		b.Write(p.text)
		return nil
	}
	return p.template.Execute(b, data)
}
