// Package secureheaders adds the header fields that tell browsers to be
// careful, where the application has not set them itself.
package secureheaders

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// Off turns one of the fields of [Config] off.
const Off = "off"

// DefaultHSTS is how long browsers keep to HTTPS unless [Config] says.
const DefaultHSTS = 180 * 24 * time.Hour

// Config says which fields answers get. Its zero value stands for the
// defaults.
type Config struct {
	// HSTS is the max-age of Strict-Transport-Security, in whole seconds, on
	// answers over HTTPS. 0 means [DefaultHSTS]; below 0 turns it off.
	HSTS time.Duration

	// HSTSSubdomains adds includeSubDomains.
	HSTSSubdomains bool

	// HSTSPreload adds preload, which browsers' lists take only with
	// HSTSSubdomains and a year or more.
	HSTSPreload bool

	// Frame says who may show the answer in a frame: "SAMEORIGIN", "DENY",
	// or origins separated by spaces ("https://portal.example.com"), which
	// may besides the page's own. It becomes X-Frame-Options and, where there
	// is a policy or X-Frame-Options cannot say it, frame-ancestors. Empty
	// means "SAMEORIGIN"; [Off] turns it off.
	Frame string

	// CSP is the Content-Security-Policy. Empty: none.
	CSP string

	// Referrer is the Referrer-Policy. Empty means
	// "strict-origin-when-cross-origin"; [Off] turns it off.
	Referrer string
}

// Middleware adds the fields. X-Content-Type-Options: nosniff is always among
// them. It is safe for concurrent use.
type Middleware struct {
	plain, https fields
}

// New makes a Middleware. Its error names every mistake in cfg.
func New(cfg Config) (*Middleware, error) {
	csp, errCSP := checkCSP(cfg.CSP)
	xfo, ancestors, errFrame := parseFrame(cfg.Frame)
	referrer, errReferrer := parseReferrer(cfg.Referrer)
	errHSTS := checkHSTS(cfg)
	if err := errors.Join(errHSTS, errFrame, errCSP, errReferrer); err != nil {
		return nil, err
	}
	f := fields{sniff: []string{"nosniff"}, frame: one(xfo), referrer: one(referrer)}
	f.csp = one(withAncestors(csp, xfo, ancestors))
	m := &Middleware{plain: f, https: f}
	m.https.hsts = one(hsts(cfg))
	return m, nil
}

// Wrap adds the fields to the answers of next.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := httpwrap.Of(w)
		if secure(r) {
			ww.Before(&m.https)
		} else {
			ww.Before(&m.plain)
		}
		next.ServeHTTP(ww, r)
	})
}

func secure(r *http.Request) bool {
	if rec := request.From(r.Context()); rec != nil && rec.Scheme != "" {
		return rec.Scheme == "https"
	}
	return r.TLS != nil
}

// fields are shared between answers; nil ones are off.
type fields struct {
	hsts, frame, csp, referrer, sniff []string
}

func (f *fields) BeforeHeader(_ int, h http.Header) {
	fill(h, "Strict-Transport-Security", f.hsts)
	fill(h, "Referrer-Policy", f.referrer)
	fill(h, "X-Content-Type-Options", f.sniff)
	if !framed(h) {
		fill(h, "X-Frame-Options", f.frame)
	}
	fill(h, "Content-Security-Policy", f.csp)
}

func fill(h http.Header, name string, values []string) {
	if values == nil {
		return
	}
	if _, ok := h[name]; !ok {
		h[name] = values
	}
}

// framed reports whether the application's own policy says who may frame it.
// Browsers that know frame-ancestors ignore X-Frame-Options, others would
// take the stricter one.
func framed(h http.Header) bool {
	for _, policy := range h["Content-Security-Policy"] {
		if strings.Contains(policy, "frame-ancestors") {
			return true
		}
	}
	return false
}

func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func hsts(cfg Config) string {
	age := cfg.HSTS
	if age == 0 {
		age = DefaultHSTS
	}
	if age < 0 {
		return ""
	}
	s := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
	if cfg.HSTSSubdomains {
		s += "; includeSubDomains"
	}
	if cfg.HSTSPreload {
		s += "; preload"
	}
	return s
}

func checkHSTS(cfg Config) error {
	if cfg.HSTS > 0 && cfg.HSTS < time.Second {
		return optionError{"hsts", fmt.Errorf("%v is below a second (write a negative duration to turn it off)", cfg.HSTS)}
	}
	if cfg.HSTSPreload && (!cfg.HSTSSubdomains || cfg.HSTS < 365*24*time.Hour) {
		return optionError{"hsts", errors.New("preload needs includeSubDomains and at least 365d")}
	}
	return nil
}

func parseFrame(s string) (xfo, ancestors string, err error) {
	switch strings.ToUpper(strings.TrimSpace(s)) {
	case "", "SAMEORIGIN":
		return "SAMEORIGIN", "'self'", nil
	case "DENY":
		return "DENY", "'none'", nil
	case "OFF":
		return "", "", nil
	}
	for _, origin := range strings.Fields(s) {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || strings.ContainsAny(origin, ";,'\"?#") {
			return "", "", optionError{"frame", fmt.Errorf("%q is neither SAMEORIGIN, DENY, off nor an origin such as https://portal.example.com", origin)}
		}
	}
	return "", "'self' " + strings.Join(strings.Fields(s), " "), nil
}

// withAncestors completes the policy. One that names its frame-ancestors
// stays as it is.
func withAncestors(csp, xfo, ancestors string) string {
	if ancestors == "" || strings.Contains(csp, "frame-ancestors") || csp == "" && xfo != "" {
		return csp
	}
	if csp == "" {
		return "frame-ancestors " + ancestors
	}
	return strings.TrimRight(csp, "; ") + "; frame-ancestors " + ancestors
}

func checkCSP(s string) (string, error) {
	if s == Off {
		return "", nil
	}
	s = strings.Join(strings.Fields(s), " ")
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return "", optionError{"csp", fmt.Errorf("%q is no ASCII text", s)}
		}
	}
	return s, nil
}

func parseReferrer(s string) (string, error) {
	switch s {
	case "":
		return "strict-origin-when-cross-origin", nil
	case Off:
		return "", nil
	}
	for _, policy := range strings.Split(s, ",") {
		switch strings.TrimSpace(policy) {
		case "no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin",
			"strict-origin", "strict-origin-when-cross-origin", "unsafe-url":
		default:
			return "", optionError{"referrer", fmt.Errorf("%q is no referrer policy (such as no-referrer, same-origin or strict-origin-when-cross-origin)", policy)}
		}
	}
	return s, nil
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
