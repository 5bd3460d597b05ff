package oidc

import (
	"html/template"
	"net/http"
	"net/url"

	"github.com/mountd/mountd/internal/issuer"
	"github.com/mountd/mountd/internal/request"
)

// logout ends the session, and goes on to the provider. A link can't do that:
// it gets a page with a button.
func (m *Method) logout(w http.ResponseWriter, r *http.Request) error {
	at := siteOf(r)
	if r.Method == http.MethodGet {
		return question(w, at.prefix+m.cfg.Logout)
	}
	seen := *r
	seen.Host = at.host
	if err := http.NewCrossOriginProtection().Check(&seen); err != nil {
		return &request.Error{Status: http.StatusForbidden, Message: "This request comes from another site.", Err: err}
	}
	s := m.cfg.Session(r)
	var l *login
	if s != nil {
		l, _ = m.read(s.Get(m.key))
		if err := s.Clear(); err != nil {
			return err
		}
	}
	home := at.prefix + m.cfg.AfterLogout
	// The user is logged out here, whether the provider is there or not.
	if found, err := m.metadata.Get(r.Context()); l != nil && err == nil && found.EndSession != "" {
		redirect(w, m.farewell(found, l, at.origin()+home))
		return nil
	}
	redirect(w, home)
	return nil
}

// farewell is the provider's logout (OpenID Connect RP-Initiated Logout 1.0).
func (m *Method) farewell(found *issuer.Metadata, l *login, back string) string {
	u, err := url.Parse(found.EndSession)
	if err != nil {
		return back
	}
	q := u.Query()
	q.Set("client_id", m.cfg.ClientID)
	q.Set("post_logout_redirect_uri", back)
	if l.IDToken != "" {
		q.Set("id_token_hint", l.IDToken)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// The page allows form-action everywhere: the provider's logout, where the
// form leads to, is elsewhere.
const policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

var page = template.Must(template.New("logout").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Log out</title>
<style>
:root { color-scheme: light dark }
body { font: 1.1rem/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0 }
button { font: inherit; padding: .5em 2em }
</style>
<form method="post" action="{{.}}"><button autofocus>Log out</button></form>
`))

func question(w http.ResponseWriter, action string) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	// Referrer-Policy: no-referrer would make the browser send Origin: null.
	h.Set("Referrer-Policy", "same-origin")
	return page.Execute(w, action)
}
