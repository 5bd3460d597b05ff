package bearer

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
)

const (
	// maxAsked bounds the questions under way; more are answered with 503.
	maxAsked = 32

	// refusedFor is how long a token counts as bad without asking again.
	refusedFor = 10 * time.Second
)

// introspector asks an issuer about tokens (RFC 7662): once for all requests
// that come with one at the same time.
type introspector struct {
	*Method
	flights *issuer.Flights[tokenID, *remembered]
}

func newIntrospector(m *Method) *introspector {
	return &introspector{m, issuer.NewFlights[tokenID, *remembered](maxAsked, 0)}
}

func (in *introspector) verify(ctx context.Context, id tokenID, token string) (*auth.User, error) {
	token = strings.Clone(token) // the question may outlive the request
	e, err := in.flights.Do(ctx, id, func(ctx context.Context) (*remembered, error) {
		claims, err := in.ask(ctx, token)
		if err != nil {
			return nil, err
		}
		e := in.judge(claims, time.Now())
		in.known.add(id, e, len(token))
		return e, nil
	})
	if err != nil {
		return nil, fmt.Errorf("introspection: %w", err)
	}
	return e.user, e.err
}

func (in *introspector) ask(ctx context.Context, token string) (issuer.Claims, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, in.cfg.Introspection.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	// RFC 6749, 2.3.1, has both encoded before.
	r.SetBasicAuth(url.QueryEscape(in.cfg.Introspection.ClientID), url.QueryEscape(in.cfg.Introspection.ClientSecret))
	data, err := in.client.Do(r)
	if err != nil {
		return nil, err
	}
	claims, err := issuer.ParseClaims(data)
	if err != nil {
		return nil, fmt.Errorf("the answer is malformed: %w", err)
	}
	return claims, nil
}

// judge makes a user of an answer, or says what is wrong with the token.
func (in *introspector) judge(c issuer.Claims, now time.Time) *remembered {
	user, until, err := in.accept(c, now)
	if err != nil {
		return &remembered{err: err, until: now.Add(refusedFor)}
	}
	return &remembered{user: user, until: until}
}

func (in *introspector) accept(c issuer.Claims, now time.Time) (*auth.User, time.Time, error) {
	until := now.Add(in.cfg.Introspection.Lifetime)
	if active, ok := c["active"].(bool); !ok || !active {
		return nil, until, &issuer.InvalidError{Reason: "not active"}
	}
	for _, name := range []string{"exp", "nbf"} {
		t, found, err := c.Time(name)
		switch {
		case err != nil:
			return nil, until, err
		case !found:
		case name == "nbf" && now.Add(in.cfg.Leeway).Before(t):
			return nil, until, &issuer.InvalidError{Reason: "not valid yet"}
		case name == "exp" && !now.Before(t.Add(in.cfg.Leeway)):
			return nil, until, &issuer.InvalidError{Reason: "expired"}
		case name == "exp" && t.Add(in.cfg.Leeway).Before(until):
			until = t.Add(in.cfg.Leeway)
		}
	}
	if iss, found := c["iss"]; found && in.cfg.Issuer != "" && iss != in.cfg.Issuer {
		return nil, until, &issuer.InvalidError{Reason: "it is from another issuer"}
	}
	if err := c.CheckAudience(in.cfg.Audience); err != nil {
		return nil, until, err
	}
	user, err := in.user(c)
	return user, until, err
}
