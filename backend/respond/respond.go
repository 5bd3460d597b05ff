// Package respond answers every request with the same text.
package respond

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Config is the answer. Its values are copied.
type Config struct {
	// Status of the answer, 200 to 599. Default 200.
	Status int

	// Body of the answer, sent as it is. It must be empty for the statuses
	// 204 and 304, which have none.
	Body string

	// Type is the Content-Type. Default "text/plain; charset=utf-8".
	Type string

	// Headers are further fields of the answer. Content-Length and those that
	// concern the connection are refused.
	Headers map[string]string
}

// Responder is the answer as an app. It answers any method, HEAD without the
// body. It is safe for concurrent use.
type Responder struct {
	status int
	body   []byte
	fields []field
}

// A field is ready to be put into a header map.
type field struct {
	name   string
	values []string
}

// New checks cfg and gives its Responder.
func New(cfg Config) (*Responder, error) {
	a := &Responder{status: cfg.Status, body: []byte(cfg.Body)}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	var errs []error
	if a.status < 200 || a.status > 599 {
		errs = append(errs, &fieldError{"status", fmt.Sprintf("%d is no status of an answer (write 200 to 599)", a.status)})
	}
	if bodiless(a.status) && cfg.Body != "" {
		errs = append(errs, &fieldError{"body", fmt.Sprintf("an answer with status %d has no body (leave it out)", a.status)})
	}
	if strings.ContainsFunc(cfg.Type, isControl) {
		errs = append(errs, &fieldError{"type", fmt.Sprintf("%q holds control bytes", cfg.Type)})
	}
	a.addOwn(cfg.Type)
	for _, name := range slices.Sorted(maps.Keys(cfg.Headers)) {
		if err := checkField(name, cfg.Headers[name]); err != nil {
			errs = append(errs, err)
		}
		a.add(http.CanonicalHeaderKey(name), cfg.Headers[name])
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return a, nil
}

func (a *Responder) addOwn(contentType string) {
	if bodiless(a.status) {
		return
	}
	if contentType == "" {
		contentType = "text/plain; charset=utf-8"
	}
	a.add("Content-Type", contentType)
	a.add("Content-Length", strconv.Itoa(len(a.body)))
}

func (a *Responder) add(name, value string) {
	a.fields = append(a.fields, field{name, []string{value}})
}

func bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// ServeHTTP answers.
func (a *Responder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for i := range a.fields {
		h[a.fields[i].name] = a.fields[i].values
	}
	w.WriteHeader(a.status)
	if len(a.body) > 0 && r.Method != http.MethodHead {
		_, _ = w.Write(a.body)
	}
}

func checkField(name, value string) error {
	path := "headers." + name
	switch http.CanonicalHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Trailer", "Te", "Upgrade":
		return &fieldError{path, fmt.Sprintf("%s is the server's own to write", name)}
	}
	if name == "" || strings.ContainsFunc(name, notToken) {
		return &fieldError{path, fmt.Sprintf("%q is no header name", name)}
	}
	if strings.ContainsFunc(value, isControl) {
		return &fieldError{path, fmt.Sprintf("the value %q holds control bytes", value)}
	}
	return nil
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

func notToken(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
}

// A fieldError is a mistake in one field of a Config.
type fieldError struct{ path, text string }

func (e *fieldError) Error() string { return e.path + ": " + e.text }

// OptionPath names the field as a mount table does.
func (e *fieldError) OptionPath() string { return e.path }
