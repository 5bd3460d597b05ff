package cli

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/assemble"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/internal/request"
)

// tracer watches one request on its way through a site.
type tracer struct {
	entered, answered map[string]bool // layers by their key
	seen              *http.Request   // as the application gets it
	record            *request.Record
	kind              string
	preview           *compose.Preview
	inApp             bool
}

func layerKey(l compose.Layer) string { return l.Name + "\x00" + l.Definition }

// observe notes that a layer was entered, and whether it handed on.
func (t *tracer) observe(l compose.Layer, wrap alice.Constructor) alice.Constructor {
	return func(next http.Handler) http.Handler {
		key := layerKey(l)
		inner := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			delete(t.answered, key)
			next.ServeHTTP(w, r)
		}))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t.note(r)
			t.entered[key], t.answered[key] = true, true
			inner.ServeHTTP(w, r)
		})
	}
}

func (t *tracer) note(r *http.Request) {
	if t.record == nil {
		t.record = request.From(r.Context())
	}
}

// app stands in for an application: those that can tell what they would be
// sent do so, the others are served.
func (t *tracer) app(ctx compose.AppContext, kind string, app compose.App) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.note(r)
		t.seen, t.kind = r, kind
		if app.Preview == nil {
			app.Handler.ServeHTTP(w, r)
			return
		}
		preview := app.Preview(r)
		t.preview, t.inApp = &preview, true
		w.WriteHeader(http.StatusOK)
	})
}

// run sends the request through the site and tells what became of it.
func (t *tracer) run(site *assemble.Site, r *http.Request) *explanation {
	w := &sink{header: http.Header{}}
	func() {
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				panic(v)
			}
		}()
		site.Handler.ServeHTTP(w, r)
	}()
	e := &explanation{Request: r.Method + " " + r.RequestURI, Host: r.Host, Client: r.RemoteAddr}
	if rec := t.record; rec != nil {
		e.Path, e.Client = rec.Path, rec.Client.String()
		if rec.RawPath != "" {
			e.Path = rec.RawPath
		}
	} else {
		e.Rejected = "refused at the front door"
	}
	t.mount(e, site, r)
	if t.seen != nil {
		e.App = t.explainApp()
	}
	if !t.inApp {
		e.Answer = &answer{Status: w.status, Header: w.header}
		if t.record != nil && t.record.Cause != nil {
			e.Answer.Error = strings.TrimPrefix(t.record.Cause.Error(), fmt.Sprintf("%d ", w.status))
		}
		if e.Rejected != "" {
			e.Answer.Error = strings.TrimSpace(w.text.String())
		}
	}
	return e
}

// mount finds the chain of mounts that the request went to.
func (t *tracer) mount(e *explanation, site *assemble.Site, r *http.Request) {
	if t.record == nil {
		return
	}
	if t.record.Path == "" {
		e.Why = append(e.Why, "refused at the front door, before any mount is chosen")
		t.layers(e, site.Global)
		return
	}
	m, ok := site.Match(t.record.HostPort, e.Path)
	e.Why = append(e.Why, m.Why)
	i := slices.IndexFunc(site.Mounts, func(x *assemble.Mount) bool { return x.Pattern == m.Pattern })
	if !ok || i < 0 {
		e.Why = append(e.Why, "the answer comes from the global chain")
		t.layers(e, site.Global)
		return
	}
	at := site.Mounts[i]
	t.layers(e, at.Layers)
	for len(at.Mounts) > 0 {
		j := slices.IndexFunc(at.Mounts, func(x *assemble.Mount) bool { return x.Name == t.record.Mount })
		if j < 0 {
			j = slices.IndexFunc(at.Mounts, func(x *assemble.Mount) bool { return strings.HasPrefix(t.record.Mount, x.Name) && len(x.Mounts) > 0 })
		}
		if j < 0 {
			e.Why = append(e.Why, "no mount of the table inside it matches")
			break
		}
		at = at.Mounts[j]
		e.Why = append(e.Why, fmt.Sprintf("inside it, %s is the longest match", at.Pattern))
		t.layers(e, at.Layers)
	}
	e.Mount, e.Pattern, e.Place = at.Name, at.Pattern, at.Pos.String()
	if at.Slash && e.Path == m.ScriptName {
		e.Why = append(e.Why, "the bare prefix of this mount is redirected to the prefix with a slash")
	}
}

// layers tells what became of the request in each layer of a chain.
func (t *tracer) layers(e *explanation, chain []compose.Info) {
	for _, in := range chain {
		if in.LeftOut {
			continue
		}
		key := in.Name + "\x00" + in.Definition
		l := explainedLayer{Info: in, Outcome: "not reached"}
		switch {
		case t.answered[key]:
			l.Outcome = "answers"
		case t.entered[key]:
			l.Outcome = "runs"
		case in.When != "" || in.Except != "":
			if !t.stopped(e) {
				l.Outcome = "skipped"
			}
		}
		e.Layers = append(e.Layers, l)
	}
}

// stopped reports whether a layer before has answered.
func (t *tracer) stopped(e *explanation) bool {
	return slices.ContainsFunc(e.Layers, func(l explainedLayer) bool { return l.Outcome == "answers" })
}

func (t *tracer) explainApp() *explainedApp {
	a := &explainedApp{Kind: t.kind, ScriptName: dispatcher.ScriptName(t.seen), Path: t.seen.URL.EscapedPath(), Sent: t.preview}
	for _, name := range option.Captures(dispatcher.FullPattern(t.seen)) {
		if a.Params == nil {
			a.Params = map[string]string{}
		}
		a.Params[name] = t.seen.PathValue(name)
	}
	return a
}

// sink is a response writer that keeps the head and little of the body.
type sink struct {
	header http.Header
	status int
	text   strings.Builder
}

// Header gives the header.
func (s *sink) Header() http.Header { return s.header }

// WriteHeader keeps the status of the final answer.
func (s *sink) WriteHeader(status int) {
	if s.status == 0 && status >= 200 {
		s.status = status
		s.header = s.header.Clone()
	}
}

// Write keeps a short body.
func (s *sink) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	if s.text.Len() < 512 {
		s.text.Write(b[:min(len(b), 512)])
	}
	return len(b), nil
}
