package auth

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// FormPage is what the templates of the login see. Its texts are escaped for
// where they stand.
//
// A login page needs a form that is sent to Action with the method post and has
// the fields username and password, and hidden ones: token with Token and to
// with To. A logout page needs one with the field to alone.
type FormPage struct {
	Host   string // as the browser named it
	Action string // where the form is sent; on the page after a logout: the login page
	Token  string // tells the form of our page from one of another site
	To     string // the address to go on to
	User   string // the name that was typed; on the logout page: who is logged in, empty if nobody is
	Error  string // a sentence about what went wrong; may be empty
	Wrong  bool   // the name or the password was wrong
}

const maxTemplate = 1 << 20

var (
	//go:embed login/page.html
	formSource string
	//go:embed login/style.css
	formStyle string

	builtinForm = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(formStyle) },
	}).Parse(formSource))

	// There is no form-action: browsers apply it to where the form's answer
	// redirects to as well, and on from there, so that an application which
	// sends its users to another site at once could not be logged in to.
	builtinFormPolicy = "default-src 'none'; style-src 'sha256-" + hashOf(formStyle) + "'; base-uri 'none'; frame-ancestors 'none'"
)

// ownFormPolicy lets an operator's page use styles, pictures, fonts and scripts
// of the site.
const ownFormPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

func hashOf(style string) string {
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// formPages are the templates of one login.
type formPages struct {
	login, logout             *template.Template
	loginPolicy, logoutPolicy string
}

func loadFormPages(file string) (*formPages, error) {
	p := &formPages{
		login: builtinForm.Lookup("login"), logout: builtinForm.Lookup("logout"),
		loginPolicy: builtinFormPolicy, logoutPolicy: builtinFormPolicy,
	}
	if file == "" {
		return p, nil
	}
	text, err := readTemplate(file)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	t, err := template.New(filepath.Base(file)).Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("parse template: %w", err)
	}
	p.login, p.loginPolicy = t, ownFormPolicy
	if own := t.Lookup("logout"); own != nil {
		p.logout, p.logoutPolicy = own, ownFormPolicy
	}
	return p, errors.Join(tryTemplate(p.login, true), tryTemplate(p.logout, false))
}

func readTemplate(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err == nil && len(text) > maxTemplate {
		err = errors.New(file + " is larger than 1 MiB")
	}
	return text, err
}

// tryTemplate finds mistakes before the first user does.
func tryTemplate(t *template.Template, login bool) error {
	sample := FormPage{Host: "example.com", Action: "/.mountd/form", Token: "sample-token", To: "/", User: "joe", Error: "-", Wrong: true}
	var b bytes.Buffer
	if err := t.Execute(&b, sample); err != nil {
		return fmt.Errorf("execute template: %w (there are Host, Action, Token, To, User, Error and Wrong)", err)
	}
	if login && !bytes.Contains(b.Bytes(), []byte(sample.Token)) {
		return errors.New(`the login page lacks its token (write <input type="hidden" name="token" value="{{.Token}}">)`)
	}
	return nil
}

// render answers with a page.
func (f *Form) render(w http.ResponseWriter, r *http.Request, status int, t *template.Template, policy string, page FormPage) {
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		f.cfg.ErrorFunc(w, r, fmt.Errorf("page of the login: %w", err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // the client may have left
	}
}

// formHeader sets the fields of all our answers. The referrer policy must let the
// browser say where our form comes from: with no-referrer, its origin would be
// "null".
func formHeader(h http.Header) {
	h.Set("Cache-Control", "no-store")
	addVary(h, "Cookie")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
