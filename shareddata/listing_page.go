package shareddata

import (
	"fmt"
	"html"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// page is what listing.html shows.
type page struct {
	Title   string
	Crumbs  []crumb
	Parent  template.URL // empty at the root
	Columns []column
	Rows    template.HTML
	Empty   bool
	Summary string
	More    bool // there are entries that are not shown
	Limit   string
	Style   template.CSS
	Script  template.JS
}

// crumb is a step of the way from the root of the export. The last one, which
// is the page itself, has no link.
type crumb struct {
	Name string
	Href template.URL
}

// column is a heading, and the link that sorts by it.
type column struct {
	Name, Class string
	Href        template.URL
	Sorted      string // for aria-sort
	Arrow       string
}

func (s *site) newPage(r *http.Request, e *export, rest string, items []item, o order, truncated bool) *page {
	p := &page{
		Columns: columns(o),
		Rows:    s.rows(items, o),
		Empty:   len(items) == 0,
		More:    truncated,
		Limit:   thousands(maxEntries),
		Summary: summary(items),
		Style:   template.CSS(listingCSS),
		Script:  template.JS(listingJS),
	}
	root := e.prefix
	if s.scriptName != nil {
		root = s.scriptName(r) + root
	}
	p.Crumbs = crumbs(printable(root), rest, o)
	if len(p.Crumbs) > 1 {
		p.Parent = template.URL("../" + o.query())
	}
	p.Title = strings.TrimRight(printable(root+rest), "/") + "/"
	return p
}

// rows writes the rows of the table. The template engine would take most of
// the time of a long listing.
func (s *site) rows(items []item, o order) template.HTML {
	var b strings.Builder
	b.Grow(400 * len(items))
	for i := range items {
		s.writeRow(&b, &items[i], o)
	}
	return template.HTML(b.String())
}

func (s *site) writeRow(b *strings.Builder, it *item, o order) {
	symbol, kind, class, slash := "folder", "Folder", ` class="dir"`, "/"
	if !it.dir {
		symbol, kind = icon(s.typeOf(it.name))
		class, slash = "", ""
	}
	put := func(parts ...string) {
		for _, part := range parts {
			b.WriteString(part)
		}
	}
	put("\n<tr><td class=\"name\"><a href=\"", html.EscapeString(href(it, o)), `"`, class,
		`><svg role="img" aria-label="`, kind, `"><use href="#`, symbol, `"/></svg><span>`,
		html.EscapeString(printable(it.name)), slash, `</span></a></td>`)
	if it.dir {
		put(`<td class="size"><span class="none">—</span></td>`)
	} else {
		put(`<td class="size" title="`, count(it.size, "byte"), `">`, humanSize(it.size), `</td>`)
	}
	if known(it.modified) {
		t := it.modified.UTC()
		date := t.Format("2006-01-02 15:04")
		put(`<td class="modified"><time datetime="`, t.Format(time.RFC3339), `" title="`, date, ` UTC">`, date, `</time></td></tr>`)
	} else {
		put(`<td class="modified"><span class="none">—</span></td></tr>`)
	}
}

// crumbs link upwards with "../", which is right under every prefix.
func crumbs(root, rest string, o order) []crumb {
	names := strings.FieldsFunc(rest, func(r rune) bool { return r == '/' })
	if root == "" {
		root = "/"
	}
	list := []crumb{{Name: root}}
	for _, name := range names {
		list = append(list, crumb{Name: printable(name)})
	}
	for i := range list[:len(list)-1] {
		list[i].Href = template.URL(strings.Repeat("../", len(list)-1-i) + o.query())
	}
	return list
}

func columns(o order) []column {
	list := []column{{Name: "Name", Class: "name"}, {Name: "Size", Class: "size"}, {Name: "Modified", Class: "modified"}}
	for i := range list {
		c := &list[i]
		next := order{by: c.Class}
		if o.by == c.Class {
			c.Sorted, c.Arrow = "ascending", "↑"
			if o.desc {
				c.Sorted, c.Arrow = "descending", "↓"
			}
			next.desc = !o.desc
		}
		if c.Href = template.URL(next.query()); c.Href == "" {
			c.Href = "./"
		}
	}
	return list
}

func summary(items []item) string {
	var folders, files, bytes int64
	for _, it := range items {
		if it.dir {
			folders++
			continue
		}
		files++
		bytes += it.size
	}
	var parts []string
	if folders > 0 {
		parts = append(parts, count(folders, "folder"))
	}
	if files > 0 {
		parts = append(parts, count(files, "file"), humanSize(bytes))
	}
	return strings.Join(parts, " · ")
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

func humanSize(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	size, unit := float64(n), 0
	for size >= 1023.5 && unit < 6 {
		size /= 1024
		unit++
	}
	if size < 9.95 {
		return fmt.Sprintf("%.1f %ciB", size, " KMGTPE"[unit])
	}
	return fmt.Sprintf("%.0f %ciB", size, " KMGTPE"[unit])
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// icon gives the symbol of a media type and what it stands for.
func icon(mediaType string) (symbol, kind string) {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	class, sub, _ := strings.Cut(mediaType, "/")
	switch {
	case class == "image":
		return "image", "Image"
	case class == "audio":
		return "audio", "Audio"
	case class == "video":
		return "video", "Video"
	case strings.HasSuffix(sub, "zip") || strings.Contains(sub, "compressed") || strings.Contains(sub, "rar") ||
		sub == "x-tar" || sub == "zstd" || sub == "x-xz" || sub == "x-bzip2" || sub == "java-archive":
		return "archive", "Archive"
	case sub == "html" || sub == "css" || sub == "javascript" || strings.HasSuffix(sub, "json") ||
		strings.HasSuffix(sub, "xml") || sub == "yaml" || sub == "toml" || sub == "wasm":
		return "code", "Code"
	case class == "text" || sub == "pdf" || strings.Contains(sub, "document") || sub == "msword":
		return "text", "Document"
	}
	return "file", "File"
}
