package examples

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/auth/bearer"
	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
)

// logins are the trials of auth and session.
func logins(t *testing.T) []trial {
	users := made(auth.NewUsers(auth.UsersConfig{
		Inline: map[string]string{"joe": "$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"}, // test, hashed fast
	}))(t)
	t.Cleanup(func() { _ = users.Close() })
	password := made(auth.NewBasic(auth.BasicConfig{Users: users}))(t)
	keys := made(auth.NewKey(auth.KeyConfig{Keys: map[string]string{"ci": fmt.Sprintf("%x", sha256.Sum256([]byte("key")))}}))(t)
	gate := made(auth.NewGate(auth.GateConfig{Methods: []auth.Method{password, keys}}))(t)
	joe := made(auth.NewRequire(auth.RequireConfig{Users: []string{"joe"}}))(t)
	out := made(auth.NewOutgoing(auth.OutgoingConfig{User: "Remote-User"}))(t)
	secret := []byte("0123456789 0123456789 0123456789")
	tokens := made(bearer.New(bearer.Config{Secret: secret}))(t)
	t.Cleanup(func() { _ = tokens.Close() })
	verifier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Remote-User", "joe for "+r.Header.Get("X-Forwarded-Uri"))
	}))
	t.Cleanup(verifier.Close)
	forward := made(auth.NewForward(auth.ForwardConfig{To: verifier.URL}))(t)
	t.Cleanup(func() { _ = forward.Close() })
	store := made(memstore.New(memstore.Config{}))(t)
	sessions := made(session.New(session.Config{Store: store}))(t)
	t.Cleanup(func() { _ = sessions.Close() })
	form := made(auth.NewForm(auth.FormConfig{Verify: users.Verify, Lookup: users.Lookup, Session: func(r *http.Request) auth.Session {
		if s := session.FromRequest(r); s != nil {
			return s
		}
		return nil
	}}))(t)
	const right, key = "Authorization: Basic am9lOnRlc3Q=", "X-Api-Key: key"
	return []trial{
		{name: "auth.Basic", wrap: password.Wrap, app: sayUser, header: right, text: "joe by basic"},
		{name: "auth.Basic refuses", wrap: password.Wrap, app: sayUser, status: 401, field: `Www-Authenticate: Basic realm="Restricted", charset="UTF-8"`},
		{name: "auth.Gate", wrap: gate.Wrap, app: sayUser, header: key, text: "ci by key"},
		{name: "auth.Gate refuses", wrap: gate.Wrap, app: sayUser, header: "X-Api-Key: another", status: 401},
		{name: "auth.Require", wrap: around(gate.Wrap, joe.Wrap), app: sayUser, header: right, text: "joe by basic"},
		{name: "auth.Require refuses", wrap: around(gate.Wrap, joe.Wrap), app: sayUser, header: key, status: 403},
		{
			name: "auth.Outgoing", wrap: around(gate.Wrap, out.Wrap), header: right, text: `user "joe", authorization ""`,
			app: func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "user %q, authorization %q", r.Header.Get("Remote-User"), r.Header.Get("Authorization"))
			},
		},
		{name: "bearer", wrap: around(gateOf(tokens)), app: sayUser, header: "Authorization: Bearer " + signed(secret, "joe"), text: "joe by bearer"},
		{name: "bearer refuses", wrap: around(gateOf(tokens)), app: sayUser, header: "Authorization: Bearer " + signed([]byte("another"), "joe"), status: 401},
		{name: "auth.Forward", wrap: forward.Wrap, app: sayUser, path: "/x?y", text: "joe for /x?y by forward"},
		{
			name: "auth.Form", wrap: around(sessions.Wrap, form.Wrap), app: sayUser, header: "Accept: text/html", path: "/x?y",
			status: 302, field: "Location: /.mountd/login?to=%2Fx%3Fy",
		},
		{
			name: "session", wrap: sessions.Wrap, text: "kept",
			app: func(w http.ResponseWriter, r *http.Request) {
				s := session.FromRequest(r)
				s.Put("key", "kept")
				_, _ = io.WriteString(w, s.Get("key"))
			},
		},
	}
}

func sayUser(w http.ResponseWriter, r *http.Request) {
	user, ok := auth.UserFromContext(r.Context())
	if !ok {
		http.Error(w, "nobody is known", http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, user.Name+" by "+user.Method)
}

// around chains middlewares, outermost first.
func around(all ...middleware) middleware {
	return func(next http.Handler) http.Handler {
		for i := len(all) - 1; i >= 0; i-- {
			next = all[i](next)
		}
		return next
	}
}

func gateOf(m auth.Method) middleware {
	return func(next http.Handler) http.Handler { return auth.Wrap(m, next) }
}

// signed makes a token under a secret.
func signed(secret []byte, user string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256"}`)) + "." + encode(fmt.Appendf(nil, `{"sub":%q,"exp":%d}`, user, time.Now().Add(time.Hour).Unix()))
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, text)
	return text + "." + encode(mac.Sum(nil))
}
