package errorhandler

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

//go:embed page.html
var pageSource string

var (
	builtinPage   = template.Must(template.New("page.html").Parse(pageSource))
	builtinPolicy = policy(pageSource)
)

// policy allows the style sheet of a page and nothing else, whatever policy
// the application has set for pages of its own.
func policy(source string) string {
	_, rest, _ := strings.Cut(source, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// kinds of answers besides the formats
const (
	custom   = "custom"
	problem  = "application/problem+json"
	plain    = "text/plain; charset=utf-8"
	htmlType = "text/html; charset=utf-8"
)

// answer writes the header and the body for f. Nothing may have been written
// before.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, f *failure) {
	header := w.Header()
	prepare(header, f)
	if f.status == request.StatusClientClosed {
		header.Set("Content-Length", "0")
		w.WriteHeader(f.status)
		return
	}
	body := h.body(header, r, f)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have left
	}
}

// stale are the fields that describe a body which is not sent.
var stale = []string{
	"Accept-Ranges", "Cache-Control", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
	"Content-Location", "Content-Md5", "Content-Range", "Content-Type", "Digest", "Etag", "Expires", "Last-Modified", "Link",
	"Refresh", "Repr-Digest", "Sourcemap", "Trailer", "Transfer-Encoding", "X-Accel-Redirect", "X-Sendfile",
}

func prepare(h http.Header, f *failure) {
	for _, name := range stale {
		h.Del(name)
	}
	for name, values := range f.header {
		if key := http.CanonicalHeaderKey(name); key != "Content-Length" && key != "Content-Type" {
			h[key] = slices.Clip(values)
		}
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if uncacheable(f.status) && h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if f.status == http.StatusUnauthorized {
		vary(h, "Authorization")
	}
	if f.id == "" {
		f.id = h.Get("X-Request-Id")
	}
}

// uncacheable reports the statuses whose next answer may differ for the next
// request or client.
func uncacheable(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired,
		http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

func vary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for _, have := range strings.Split(line, ",") {
			if have = strings.TrimSpace(have); have == "*" || strings.EqualFold(have, name) {
				return
			}
		}
	}
	h.Add("Vary", name)
}

// body renders f in the format that suits the request and sets the fields
// that go with it.
func (h *Handler) body(header http.Header, r *http.Request, f *failure) []byte {
	p := h.pageFor(f.status)
	debug := h.debug && f.status >= 500 && debuggable(r, f.rec)
	if debug {
		p = nil
		header.Set("Cache-Control", "no-store")
	}
	kind := h.kind(header, r, p)
	var b bytes.Buffer
	data := f.page(r)
	if kind == custom {
		err := p.render(&b, data)
		if err == nil {
			header.Set("Content-Type", p.contentType)
			return b.Bytes()
		}
		h.report(r, &failure{err: err, status: http.StatusInternalServerError, id: f.id, path: f.path, rec: f.rec})
		b.Reset()
		kind = HTML
	}
	switch kind {
	case JSON:
		header.Set("Content-Type", problem)
		f.problem(&b, debug)
	case HTML:
		header.Set("Content-Type", htmlType)
		if debug {
			header.Set("Content-Security-Policy", debugPolicy)
			h.debugHTML(&b, r, f, data)
			break
		}
		header.Set("Content-Security-Policy", builtinPolicy)
		_ = builtinPage.Execute(&b, data) // into memory, of strings and a number
	default:
		header.Set("Content-Type", plain)
		data.text(&b)
		if debug {
			h.debugText(&b, r, f)
		}
	}
	return b.Bytes()
}

// kind chooses between the operator's page and the built-in formats. A fixed
// format keeps the page if it is of that format.
func (h *Handler) kind(header http.Header, r *http.Request, p *page) string {
	if h.format != "" && h.format != Auto {
		if p != nil && p.format() == h.format {
			return custom
		}
		return h.format
	}
	vary(header, "Accept")
	offers := make([]offer, 0, 4)
	if p != nil {
		offers = append(offers, offer{p.typ, p.sub, custom})
	}
	offers = append(offers, offer{"text", "plain", Text}, offer{"text", "html", HTML}, offer{"application", "problem+json", JSON})
	return choose(parseAccept(r.Header["Accept"]), offers).kind
}

func (p *page) format() string {
	switch {
	case p.sub == "html":
		return HTML
	case p.sub == "json" || strings.HasSuffix(p.sub, "+json"):
		return JSON
	}
	return Text
}

func (f *failure) page(r *http.Request) *Page {
	what, advice := explain(f.status)
	if f.message != "" && f.message != http.StatusText(f.status) {
		what = sentence(f.message)
		if strings.Contains(strings.ToLower(what), "try again") {
			advice = "" // says so, and when
		}
	}
	return &Page{
		Status: f.status, StatusText: statusText(f.status), Message: what, Advice: advice,
		RequestID: f.id, Method: r.Method, Path: f.path,
	}
}

func (p *Page) text(b *bytes.Buffer) {
	b.WriteString(strconv.Itoa(p.Status) + " " + p.StatusText + "\n" + p.Message + "\n")
	if p.RequestID != "" {
		b.WriteString("Request id: " + p.RequestID + "\n")
	}
}

// description is the body of RFC 9457.
type description struct {
	Type      string     `json:"type"`
	Title     string     `json:"title"`
	Status    int        `json:"status"`
	Detail    string     `json:"detail,omitempty"`
	Instance  string     `json:"instance,omitempty"`
	RequestID string     `json:"request_id,omitempty"`
	Debug     *debugJSON `json:"debug,omitempty"`
}

type debugJSON struct {
	Error []string `json:"error"`
	Text  string   `json:"text,omitempty"`
	Stack []string `json:"stack,omitempty"`
}

func (f *failure) problem(b *bytes.Buffer, debug bool) {
	d := description{Type: "about:blank", Title: statusText(f.status), Status: f.status, Instance: f.path, RequestID: f.id}
	d.Detail, _ = explain(f.status)
	if f.message != d.Title {
		d.Detail = f.message
	}
	if debug {
		d.Debug = &debugJSON{Error: chain(f.err), Text: debugTextOf(f.err), Stack: stackLines(f.stack)}
	}
	enc := json.NewEncoder(b)
	_ = enc.Encode(d) // strings and numbers, into memory
}
