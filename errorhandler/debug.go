package errorhandler

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/logtext"
	"github.com/mountd/mountd/internal/request"
)

//go:embed debug.html
var debugSource string

var (
	debugPage   = template.Must(template.New("debug.html").Parse(debugSource))
	debugPolicy = policy(debugSource)
)

// debuggable reports whether the request was made on this machine, as far as
// can be known. A proxy in front makes every client look local, so any trace
// of one is a no; so is a host name that could have been pointed at us by a
// stranger's page (DNS rebinding).
func debuggable(r *http.Request, rec *request.Record) bool {
	if rec != nil && rec.Forwarded || forwarded(r.Header) || !localName(r.Host) {
		return false
	}
	if rec != nil {
		return rec.Peer.Unmap().IsLoopback() && (!rec.Client.IsValid() || rec.Client.Unmap().IsLoopback())
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

func forwarded(h http.Header) bool {
	for name := range h {
		switch name {
		case "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Cluster-Client-Ip", "X-Original-Host":
			return true
		}
		if strings.HasPrefix(name, "X-Forwarded") {
			return true
		}
	}
	return false
}

// localName reports whether no public name server answers for the host: an
// address, a name without a dot, or one below a reserved domain (RFC 6761,
// RFC 2606).
func localName(host string) bool {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") {
		return true
	}
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	switch last {
	case "localhost", "test", "example", "invalid", "internal":
		return true
	}
	return labels[len(labels)-2] == "example" && slices.Contains([]string{"com", "net", "org"}, last)
}

// debugData is what the debug page shows.
type debugData struct {
	*Page
	Title   string
	Chain   []string
	Text    string
	Frames  []frame
	Request string
	Facts   []fact
}

type fact struct{ Name, Value string }

func (h *Handler) debugHTML(b *bytes.Buffer, r *http.Request, f *failure, p *Page) {
	links := chain(f.err)
	data := debugData{
		Page: p, Title: f.err.Error(), Chain: links[1:], Text: debugTextOf(f.err), Frames: framesOf(f.stack),
		Request: h.requestText(r, f), Facts: facts(f),
	}
	if err := debugPage.Execute(b, data); err != nil {
		fmt.Fprintf(b, "\n%s\n", template.HTMLEscapeString(err.Error()))
	}
}

func (h *Handler) debugText(b *bytes.Buffer, r *http.Request, f *failure) {
	b.WriteString("\n")
	for i, link := range chain(f.err) {
		if i > 0 {
			b.WriteString("  caused by: ")
		}
		b.WriteString(link + "\n")
	}
	if text := debugTextOf(f.err); text != "" {
		b.WriteString("\n" + strings.TrimRight(text, "\n") + "\n")
	}
	for _, fr := range framesOf(f.stack) {
		fmt.Fprintf(b, "\n%s\n    %s:%d\n", fr.Function, fr.File, fr.Line)
		for _, line := range fr.Source {
			if line.Here && fr.App {
				fmt.Fprintf(b, "    > %s\n", strings.TrimSpace(line.Text))
			}
		}
	}
	fmt.Fprintf(b, "\n%s\n", h.requestText(r, f))
	for _, x := range facts(f) {
		fmt.Fprintf(b, "%s: %s\n", x.Name, x.Value)
	}
}

// chain gives the texts of err and of what it wraps, outermost first, each
// with its type. Joined errors follow one another.
func chain(err error) []string {
	var links []string
	for err != nil && len(links) < 32 {
		links = append(links, fmt.Sprintf("%v (%T)", err, err))
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				links = append(links, chain(e)...)
			}
			return links
		}
		err = errors.Unwrap(err)
	}
	return links
}

// debugTextOf gives what an error has to say to developers, such as the
// traceback of another language.
func debugTextOf(err error) string {
	var d interface{ DebugText() string }
	if errors.As(err, &d) {
		return d.DebugText()
	}
	return ""
}

// requestText writes the request as the layers saw it, without secrets.
func (h *Handler) requestText(r *http.Request, f *failure) string {
	b := append([]byte(r.Method), ' ')
	b = append(b, f.path...)
	if r.URL.RawQuery != "" {
		b = h.redactor().AppendQuery(append(b, '?'), r.URL.RawQuery, logtext.Plain)
	}
	b = fmt.Appendf(b, " %s\nHost: %s\n", r.Proto, r.Host)
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.Header[name] {
			if secretHeader(name) {
				value = "REDACTED"
			}
			b = h.redactor().AppendText(append(append(b, name...), ": "...), value, logtext.Plain)
			b = append(b, '\n')
		}
	}
	return string(b)
}

func secretHeader(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"authorization", "cookie", "token", "secret", "password", "key", "session", "credential", "csrf", "xsrf", "assertion"} {
		if strings.Contains(name, word) && !strings.HasPrefix(name, "sec-websocket-") {
			return true
		}
	}
	return false
}

func facts(f *failure) []fact {
	rec := f.rec
	if rec == nil {
		return nil
	}
	var all []fact
	add := func(name, value string) {
		if value != "" {
			all = append(all, fact{name, value})
		}
	}
	add("request id", rec.ID)
	add("mount", rec.Mount)
	add("prefix", rec.Prefix)
	add("upstream", rec.Upstream)
	add("user", rec.User)
	if rec.Client.IsValid() {
		add("client", rec.Client.String())
	}
	add("scheme", rec.Scheme)
	add("host", rec.HostPort)
	add("path", rec.Path)
	if !rec.Start.IsZero() {
		add("after", time.Since(rec.Start).Round(time.Microsecond).String())
	}
	return all
}
