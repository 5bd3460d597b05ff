package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
	"github.com/mountd/mountd/internal/request"
)

const (
	maxState = 128
	maxCode  = 4 << 10
)

// callback ends a login: the provider has sent the browser back.
func (m *Method) callback(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r.URL.RawQuery)
	if err != nil {
		return refused("The login provider's answer is malformed.", err)
	}
	state := q["state"]
	if state == "" || len(state) > maxState {
		return refused("The login was not begun here. Please start again.", errors.New("state is missing or too long"))
	}
	a, err := m.take(w, r, siteOf(r), state)
	if err != nil {
		return refused("The login was not begun in this browser, or took too long. Please start again.", err)
	}
	found, err := m.provider(r.Context())
	if err != nil {
		return err
	}
	if iss, said := q["iss"]; said && iss != m.cfg.Issuer || !said && found.NamesItselfInRedirect {
		return refused("The answer is from another login provider.", fmt.Errorf("iss is %.200q", iss))
	}
	if code, failed := q["error"]; failed {
		return denied(code)
	}
	code := q["code"]
	if code == "" || len(code) > maxCode {
		return refused("The login provider's answer is malformed.", errors.New("code is missing or too long"))
	}
	return m.finish(w, r, found, a, code)
}

// finish gets the user for a code, and logs in.
func (m *Method) finish(w http.ResponseWriter, r *http.Request, found *issuer.Metadata, a attempt, code string) error {
	s := m.cfg.Session(r)
	if s == nil {
		return errNoSession
	}
	g, err := m.redeem(r.Context(), found, a, code)
	if err != nil {
		return err
	}
	claims, err := m.identify(r.Context(), found, g, a.Nonce)
	if err != nil {
		return judged(err)
	}
	l, err := m.newLogin(claims, g, time.Now())
	if err != nil {
		return judged(err)
	}
	if !m.mayStay(s, l) {
		if err := over(s); err != nil {
			return err
		}
	}
	if err := s.Login(l.Name); err != nil {
		return err
	}
	s.Put(m.key, l.asStored)
	if err := failure(s); err != nil {
		return err
	}
	redirect(w, a.To)
	return nil
}

// mayStay reports whether what is in a session may stay when l begins: it is
// nobody's, or of an earlier login of the same user here.
func (m *Method) mayStay(s auth.Session, l *login) bool {
	owner := ""
	if s, ok := s.(interface{ User() string }); ok {
		owner = s.User()
	}
	value := s.Get(m.key)
	if value == "" {
		return owner == ""
	}
	old, ok := m.read(value)
	return ok && old.Name == l.Name && old.Subject == l.Subject && !m.hasEnded(old) && (owner == "" || owner == l.Name)
}

// judged tells a token that is wrong from a provider that can't be asked.
func judged(err error) error {
	var wrong *issuer.InvalidError
	switch {
	case errors.As(err, &wrong):
		return &request.Error{Status: http.StatusForbidden, Message: "The login provider's answer is not accepted.", Err: err}
	case errors.Is(err, issuer.ErrUnavailable):
		return unavailable(err)
	}
	return err
}

// denied is the answer to a login that the provider has refused. What it wrote
// is told only where it is one of the known words.
func denied(code string) error {
	known := []string{
		"access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required",
		"temporarily_unavailable", "server_error", "invalid_scope", "invalid_request", "unauthorized_client",
	}
	e := &request.Error{Status: http.StatusBadRequest, Message: "The login provider has refused the login.", Err: fmt.Errorf("the provider says %.100q", code)}
	if slices.Contains(known, code) {
		e.Message = "The login provider has refused the login (" + code + ")."
	}
	switch code {
	case "access_denied":
		e.Status = http.StatusForbidden
	case "temporarily_unavailable", "server_error":
		e.Status = http.StatusServiceUnavailable
	}
	return e
}

// parameters reads a query in which everything is there once.
func parameters(raw string) (map[string]string, error) {
	if len(raw) > 16<<10 {
		return nil, errors.New("the query is too long")
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, err
	}
	single := make(map[string]string, len(q))
	for name, values := range q {
		if len(values) != 1 {
			return nil, fmt.Errorf("%.50q is there %d times", name, len(values))
		}
		single[name] = values[0]
	}
	return single, nil
}
