package oidc

import (
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// start sends a browser to the provider.
func (m *Method) start(w http.ResponseWriter, r *http.Request) error {
	found, err := m.provider(r.Context())
	if err != nil {
		return err
	}
	at := siteOf(r)
	a := attempt{
		State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(),
		To: m.safe(at, r.URL.Query().Get("to")), Redirect: at.origin() + at.prefix + m.cfg.Callback, At: time.Now().Unix(),
	}
	if err := m.keep(w, r, at, a); err != nil {
		return err
	}
	redirect(w, m.oauth(found, a.Redirect).AuthCodeURL(a.State,
		oauth2.S256ChallengeOption(a.Verifier), oauth2.SetAuthURLParam("nonce", a.Nonce)))
	return nil
}

// redirect sends a browser on with GET. The address stays as it is, to the
// last slash.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
