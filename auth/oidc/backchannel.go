package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/mountd/mountd/internal/issuer"
)

const onceLogout = "logout "

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// backChannel ends logins because the provider says so (OpenID Connect
// Back-Channel Logout 1.0).
func (m *Method) backChannel(w http.ResponseWriter, r *http.Request) error {
	token, err := logoutToken(w, r)
	if err != nil {
		return err
	}
	t, err := m.logouts.Verify(r.Context(), token)
	if err != nil {
		return logoutRefused(err)
	}
	subject, sid, id, err := m.leaving(t.Claims)
	if err != nil {
		return logoutRefused(err)
	}
	if err := m.end(r.Context(), subject, sid); err != nil {
		m.used.Delete(onceLogout + id) // the provider may try again
		return refused("The sessions could not be ended.", err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func logoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" {
		return "", refused("A form is expected.", fmt.Errorf("the content type is %.100q", kind))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2*issuer.MaxToken))
	if err != nil {
		return "", err
	}
	form, err := parameters(string(body))
	if err != nil || form["logout_token"] == "" {
		return "", refused("logout_token is missing.", err)
	}
	return form["logout_token"], nil
}

func logoutRefused(err error) error {
	var wrong *issuer.InvalidError
	if errors.As(err, &wrong) {
		return refused("The logout token is not valid: "+wrong.Reason+".", err)
	}
	return unavailable(err)
}

// leaving gives whom a logout token is about.
func (m *Method) leaving(c issuer.Claims) (subject, sid, id string, err error) {
	if subject, err = c.Text("sub"); err == nil {
		sid, err = c.Text("sid")
	}
	if err == nil {
		id, err = c.Text("jti")
	}
	if err != nil {
		return "", "", "", err
	}
	events, _ := c["events"].(map[string]any)
	_, isObject := events[logoutEvent].(map[string]any)
	_, hasNonce := c["nonce"]
	_, hasTime := c["iat"]
	switch {
	case !isObject:
		err = &issuer.InvalidError{Reason: "events names no logout"}
	case hasNonce:
		err = &issuer.InvalidError{Reason: "a nonce makes it an ID token"}
	case !hasTime:
		err = &issuer.InvalidError{Reason: "iat is missing"}
	case subject == "" && sid == "":
		err = &issuer.InvalidError{Reason: "it has neither sub nor sid"}
	case id == "" || len(id) > 1024:
		err = &issuer.InvalidError{Reason: "jti is missing or too long"}
	case !m.first(onceLogout + id):
		err = &issuer.InvalidError{Reason: "it was used before"}
	}
	return subject, sid, id, err
}

// end ends logins: at once in this process, and wherever sessions are kept if
// it is known whose they are. The user's other sessions end with the one that
// sid names there.
func (m *Method) end(ctx context.Context, subject, sid string) error {
	now := time.Now().UnixMilli()
	key := "sub " + subject
	if sid != "" {
		key = "sid " + sid
	}
	m.ended.Put(key, now, len(key))
	if m.cfg.EndSessions == nil {
		return nil
	}
	user, known := m.names.Get(key)
	if !known && subject != "" {
		user, known = m.names.Get("sub " + subject)
		if m.cfg.Claims.User == "sub" {
			user, known = subject, true
		}
	}
	if !known {
		m.cfg.Logger.Info("a logout of somebody who has not been seen since the start", "issuer", m.cfg.Issuer)
		return nil
	}
	if err := m.cfg.EndSessions(ctx, user); err != nil {
		return fmt.Errorf("end the sessions of %q: %w", user, err)
	}
	return nil
}
