package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/mountd/mountd/internal/issuer"
)

// grant is what the token endpoint gives.
type grant struct {
	access, refresh, idToken string
	expiry                   time.Time
}

// expires gives the time at which the provider is asked again.
func (g grant) expires(now time.Time) int64 {
	d := usualExpiry
	if !g.expiry.IsZero() {
		d = min(max(g.expiry.Sub(now), leastExpiry), mostExpiry)
	}
	return now.Add(d).Unix()
}

func grantOf(t *oauth2.Token) grant {
	g := grant{access: t.AccessToken, refresh: t.RefreshToken, expiry: t.Expiry}
	g.idToken, _ = t.Extra("id_token").(string)
	return g
}

// oauth gives the client as package oauth2 wants it.
func (m *Method) oauth(found *issuer.Metadata, redirect string) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	methods := found.TokenAuthMethods
	if m.cfg.ClientSecret == "" ||
		len(methods) > 0 && !slices.Contains(methods, "client_secret_basic") && slices.Contains(methods, "client_secret_post") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: m.cfg.ClientID, ClientSecret: m.cfg.ClientSecret, RedirectURL: redirect, Scopes: m.cfg.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: found.Authorization, TokenURL: found.Token, AuthStyle: style},
	}
}

func (m *Method) provider(ctx context.Context) (*issuer.Metadata, error) {
	found, err := m.metadata.Get(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	if found.Authorization == "" || found.Token == "" {
		return nil, unavailable(errors.New("the provider names no authorization_endpoint or no token_endpoint"))
	}
	return found, nil
}

func (m *Method) asking(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, m.client.HTTP)
}

// redeem gets the tokens for a code.
func (m *Method) redeem(ctx context.Context, found *issuer.Metadata, a attempt, code string) (grant, error) {
	t, err := m.oauth(found, a.Redirect).Exchange(m.asking(ctx), code, oauth2.VerifierOption(a.Verifier))
	var answer *oauth2.RetrieveError
	switch {
	case err == nil:
		return grantOf(t), nil
	case errors.As(err, &answer) && isDenial(answer):
		return grant{}, refused("The login is not valid any more. Please start again.", tokenError(err))
	}
	return grant{}, unavailable(tokenError(err))
}

// isDenial tells a provider that says no from one that can't say anything.
func isDenial(e *oauth2.RetrieveError) bool {
	return e.ErrorCode == "invalid_grant" || e.ErrorCode == "access_denied"
}

// tokenError is err without the answer's body, which may hold anything.
func tokenError(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil {
		return fmt.Errorf("token endpoint: status %d, error %.100q", answer.Response.StatusCode, answer.ErrorCode)
	}
	return fmt.Errorf("token endpoint: %w", err)
}

// identify verifies an ID token. An empty nonce is none: that of a refresh.
func (m *Method) identify(ctx context.Context, found *issuer.Metadata, g grant, nonce string) (issuer.Claims, error) {
	if g.idToken == "" {
		return nil, &issuer.InvalidError{Reason: "the provider gave no ID token"}
	}
	t, err := m.idTokens.Verify(ctx, g.idToken)
	if err != nil {
		return nil, err
	}
	c := t.Claims
	said, err := c.Text("nonce")
	switch {
	case err != nil:
		return nil, err
	case nonce != "" && subtle.ConstantTimeCompare([]byte(said), []byte(nonce)) != 1:
		return nil, &issuer.InvalidError{Reason: "the nonce is not that of the login"}
	}
	party, err := c.Text("azp")
	if err != nil {
		return nil, err
	}
	if list, _ := c["aud"].([]any); party != "" && party != m.cfg.ClientID || party == "" && len(list) > 1 {
		return nil, &issuer.InvalidError{Reason: "it was made for another client (azp)"}
	}
	if subject, _ := c.Text("sub"); subject == "" || len(subject) > 255 {
		return nil, &issuer.InvalidError{Reason: "sub is missing or too long"}
	}
	return m.complete(ctx, found, g, c)
}

// complete asks the provider for claims that an ID token lacks.
func (m *Method) complete(ctx context.Context, found *issuer.Metadata, g grant, c issuer.Claims) (issuer.Claims, error) {
	lacks := false
	for _, name := range append([]string{m.cfg.Claims.User, m.cfg.Claims.Groups, m.cfg.Claims.Name, m.cfg.Claims.Email}, m.cfg.Keep...) {
		_, has := c.Lookup(name)
		lacks = lacks || !has
	}
	if !lacks || found.UserInfo == "" || g.access == "" {
		return c, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, found.UserInfo, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+g.access)
	r.Header.Set("Accept", "application/json")
	data, err := m.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w: %w", issuer.ErrUnavailable, err)
	}
	more, err := issuer.ParseClaims(data)
	if err != nil {
		return nil, &issuer.InvalidError{Reason: fmt.Sprintf("userinfo: %v", err)}
	}
	if more["sub"] != c["sub"] {
		return nil, &issuer.InvalidError{Reason: "userinfo is about somebody else"}
	}
	if _, has := c["email"]; !has {
		delete(c, "email_verified") // it is not about the other address
	}
	for name, v := range more {
		if _, has := c[name]; !has {
			c[name] = v
		}
	}
	return c, nil
}
