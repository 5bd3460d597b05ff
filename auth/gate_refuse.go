package auth

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// refuse answers a request whose credentials are wrong, or that has none.
func (d *decision) refuse(w http.ResponseWriter, r *http.Request, asked []any, f finding) {
	var answer Answer
	if errors.As(f.err, &answer) {
		answer.ServeHTTP(w, r)
		return
	}
	if f.err == nil {
		if login := loginPage(r, asked); login != "" {
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, login, http.StatusFound)
			return
		}
		f.err = errNobody
	}
	if status, _, _ := request.Describe(f.err); status != http.StatusUnauthorized {
		d.fail(w, r, f.err)
		return
	}
	addVary(w.Header(), "Authorization")
	d.fail(w, r, challenged(r, asked, f))
}

var errNobody error = &request.Error{Status: http.StatusUnauthorized, Err: errors.New("no credentials")}

// challenged is the error of f with the challenges of all methods.
func challenged(r *http.Request, asked []any, f finding) error {
	_, message, header := request.Describe(f.err)
	header = maps.Clone(header)
	if header == nil {
		header = http.Header{}
	}
	own := header["Www-Authenticate"]
	var lines []string
	for _, a := range asked {
		l := a.(*Layer)
		if l == f.by && own != nil {
			lines = append(lines, own...)
			continue
		}
		if line := l.method.Challenge(r).Header; line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	delete(header, "Www-Authenticate")
	if lines != nil {
		header["Www-Authenticate"] = lines
	}
	if header.Get("Cache-Control") == "" {
		header["Cache-Control"] = []string{"no-store"}
	}
	return &request.Error{Status: http.StatusUnauthorized, Message: message, Header: header, Err: cause(f.err)}
}

// cause takes off what only says 401 once more.
func cause(err error) error {
	if e, ok := err.(*request.Error); ok && e.Err != nil {
		return e.Err
	}
	return err
}

// loginPage gives the page where a browser that shows a page is to log in, ""
// for other clients.
func loginPage(r *http.Request, asked []any) string {
	if !navigates(r) {
		return ""
	}
	for _, a := range asked {
		if login := a.(*Layer).method.Challenge(r).Login; login != "" {
			return login
		}
	}
	return ""
}

// navigates reports whether a person looks at the answer. Browsers that don't
// tell are known by what they accept; scripts of pages are not people.
func navigates(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	if r.Header.Get("X-Requested-With") != "" || r.Header.Get("Upgrade") != "" {
		return false
	}
	return strings.Contains(strings.ToLower(strings.Join(r.Header["Accept"], ",")), "text/html")
}

func addVary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for have := range strings.SplitSeq(line, ",") {
			if have = strings.TrimSpace(have); have == "*" || strings.EqualFold(have, name) {
				return
			}
		}
	}
	h.Add("Vary", name)
}

// quoted writes s as a quoted-string (RFC 9110, section 5.6.4).
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
