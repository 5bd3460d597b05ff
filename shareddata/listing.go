package shareddata

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mountd/mountd/internal/request"
)

// maxEntries bounds a listing.
const maxEntries = 10_000

var (
	//go:embed listing.html
	listingHTML string
	//go:embed listing.css
	listingCSS string
	//go:embed listing.js
	listingJS string
)

// listing renders directories.
type listing struct {
	page   *template.Template
	policy []string // Content-Security-Policy of the page
}

func newListing() *listing {
	l := &listing{page: template.Must(template.New("listing").Parse(listingHTML))}
	l.policy = []string{"default-src 'none'; style-src '" + digest(listingCSS) + "'; script-src '" + digest(listingJS) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"}
	return l
}

func digest(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// item is one entry of a directory.
type item struct {
	name     string
	dir      bool
	size     int64
	modified time.Time
}

// list answers with the contents of a directory.
func (s *site) list(w http.ResponseWriter, r *http.Request, e *export, v *view, rest, name string) error {
	items, truncated, err := s.items(v, name)
	if err != nil {
		if isMissing(v, err) {
			return errStale
		}
		return err
	}
	order := orderOf(r.URL.Query())
	order.sort(items)

	h := w.Header()
	var body []byte
	accept := r.Header["Accept"]
	if accepts(accept, "application/json", false) && !accepts(accept, "text/html", false) {
		h["Content-Type"] = []string{"application/json"}
		body, err = listJSON(r.URL.Path, items, truncated)
	} else {
		h["Content-Type"] = []string{"text/html; charset=utf-8"}
		h["Content-Security-Policy"] = s.listing.policy
		body, err = s.listing.render(s.newPage(r, e, rest, items, order, truncated))
	}
	if err != nil {
		return &request.Error{Status: http.StatusInternalServerError, Err: err}
	}
	addVary(h, varyAccept)
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noCache
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(body); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// items reads a directory: what would be served of it, and nothing else.
func (s *site) items(v *view, name string) ([]item, bool, error) {
	entries, truncated, err := readDir(v.tree, name, maxEntries)
	if err != nil {
		return nil, false, err
	}
	var above []string
	if name != "." {
		above = strings.Split(name, "/")
	}
	items := make([]item, 0, len(entries))
	for _, entry := range entries {
		if s.disallowed(append(above[:len(above):len(above)], entry.Name())) || strings.Contains(entry.Name(), `\`) {
			continue
		}
		info, err := entry.Info()
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			info, err = v.tree.stat(join(name, entry.Name()))
		}
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		items = append(items, item{entry.Name(), info.IsDir(), info.Size(), info.ModTime()})
	}
	return items, truncated, nil
}

// order is how a listing is sorted.
type order struct {
	by   string // name, size or modified
	desc bool
}

func orderOf(query url.Values) order {
	o := order{by: query.Get("sort"), desc: query.Get("order") == "desc"}
	switch o.by {
	case "size", "modified":
	default:
		o.by = "name"
	}
	return o
}

// query gives the query that asks for o, empty for the default order.
func (o order) query() string {
	if o == (order{by: "name"}) {
		return ""
	}
	if o.desc {
		return "?sort=" + o.by + "&order=desc"
	}
	return "?sort=" + o.by + "&order=asc"
}

// sort puts directories first, whatever the order.
func (o order) sort(items []item) {
	slices.SortFunc(items, func(a, b item) int {
		if a.dir != b.dir {
			if a.dir {
				return -1
			}
			return 1
		}
		c := 0
		switch {
		case o.by == "name":
			c = naturalCompare(a.name, b.name)
		case o.by == "modified":
			c = a.modified.Compare(b.modified)
		case !a.dir:
			c = cmp.Compare(a.size, b.size)
		}
		if o.desc {
			c = -c
		}
		return cmp.Or(c, naturalCompare(a.name, b.name))
	})
}

// naturalCompare sorts as people do: file2 before file10, a beside A.
func naturalCompare(a, b string) int {
	x, y := strings.ToLower(a), strings.ToLower(b)
	for x != "" && y != "" {
		n, m := leadingDigits(x), leadingDigits(y)
		if n > 0 && m > 0 {
			p, q := strings.TrimLeft(x[:n], "0"), strings.TrimLeft(y[:m], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
			x, y = x[n:], y[m:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// jsonItem is one entry of a listing as JSON.
type jsonItem struct {
	Name     string     `json:"name"`
	Type     string     `json:"type"`
	URL      string     `json:"url"`
	Size     *int64     `json:"size,omitempty"`
	Modified *time.Time `json:"modified,omitempty"`
}

func listJSON(path string, items []item, truncated bool) ([]byte, error) {
	page := struct {
		Path      string     `json:"path"`
		Truncated bool       `json:"truncated"`
		Entries   []jsonItem `json:"entries"`
	}{path, truncated, make([]jsonItem, len(items))}
	for i := range items {
		it := &items[i]
		j := jsonItem{Name: it.name, Type: "directory", URL: href(it, order{by: "name"})}
		if !it.dir {
			j.Type, j.Size = "file", &it.size
		}
		if known(it.modified) {
			t := it.modified.UTC().Truncate(time.Second)
			j.Modified = &t
		}
		page.Entries[i] = j
	}
	body, err := json.Marshal(page)
	return append(body, '\n'), err
}

func known(t time.Time) bool { return t.Unix() > 1 }

// href is relative to the directory. The leading "./" keeps a name with a
// colon from being taken for a URL of its own.
func href(it *item, o order) string {
	if it.dir {
		return "./" + url.PathEscape(it.name) + "/" + o.query()
	}
	return "./" + url.PathEscape(it.name)
}

func printable(name string) string {
	if !utf8.ValidString(name) {
		name = strings.ToValidUTF8(name, "\uFFFD")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' {
			return '\uFFFD'
		}
		return r
	}, name)
}

func (l *listing) render(p *page) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(4096 + len(listingCSS) + len(listingJS) + len(p.Rows))
	if err := l.page.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
