package oidc

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
)

const (
	// patience is how long a login goes on while the provider can't be asked.
	patience = 10 * time.Minute

	// pause is the least time between questions about one login that failed.
	pause = 10 * time.Second
)

// errOver says that the provider has ended a login.
var errOver = errors.New("the login is over")

// renewed asks the provider about a login, once for all requests that need to
// know, and puts the answer into the session.
func (m *Method) renewed(ctx context.Context, s auth.Session, l *login) (*auth.User, error) {
	now := time.Now()
	if until, ok := m.paused.Get(l.Refresh); ok && now.UnixNano() < until {
		return waiting(l, now, errors.New("the provider failed a moment ago"))
	}
	value, err := m.refresh.Do(ctx, sha256.Sum256([]byte(l.Refresh)), func(ctx context.Context) (string, error) {
		fresh, err := m.ask(ctx, l)
		if err != nil && !errors.Is(err, errOver) {
			m.paused.Put(l.Refresh, time.Now().Add(pause).UnixNano(), len(l.Refresh))
		}
		if err != nil {
			return "", err
		}
		return fresh.asStored, nil
	})
	switch {
	case errors.Is(err, errOver):
		return nil, over(s)
	case err != nil:
		return waiting(l, now, err)
	}
	fresh, ok := m.read(value)
	if !ok {
		return nil, unavailable(errors.New("the login was lost"))
	}
	s.Put(m.key, value)
	return fresh.user, nil
}

// waiting lets a login go on for a while.
func waiting(l *login, now time.Time, err error) (*auth.User, error) {
	if now.Sub(time.Unix(l.Expires, 0)) < patience {
		return l.user, nil
	}
	return nil, unavailable(err)
}

// ask refreshes the tokens of a login.
func (m *Method) ask(ctx context.Context, l *login) (*login, error) {
	found, err := m.provider(ctx)
	if err != nil {
		return nil, err
	}
	t, err := m.oauth(found, "").TokenSource(m.asking(ctx), &oauth2.Token{RefreshToken: l.Refresh}).Token()
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && isDenial(answer) {
		return nil, errOver
	}
	if err != nil {
		return nil, tokenError(err)
	}
	g := grantOf(t)
	if g.idToken == "" { // nothing new is said of the user
		s := l.stored
		s.Refresh, s.Expires = g.refresh, g.expires(time.Now())
		return m.store(s)
	}
	claims, err := m.identify(ctx, found, g, "")
	if err == nil && claims["sub"] != l.Subject {
		return nil, errOver
	}
	var fresh *login
	if err == nil {
		fresh, err = m.newLogin(claims, g, time.UnixMilli(l.At))
	}
	var wrong *issuer.InvalidError
	if errors.As(err, &wrong) || err == nil && fresh.Name != l.Name {
		return nil, errOver
	}
	return fresh, err
}
