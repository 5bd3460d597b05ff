package oidc

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
	"github.com/mountd/mountd/internal/request"
)

// stored is what the session holds of a login.
type stored struct {
	Name        string         `json:"u"`
	Subject     string         `json:"s"`
	SID         string         `json:"i,omitempty"` // the session at the provider
	Groups      []string       `json:"g,omitempty"`
	DisplayName string         `json:"n,omitempty"`
	Email       string         `json:"e,omitempty"`
	Claims      map[string]any `json:"c,omitempty"`
	At          int64          `json:"t"`           // of the login, in milliseconds
	Expires     int64          `json:"x,omitempty"` // when the provider is asked again, in seconds
	Refresh     string         `json:"r,omitempty"` // token
	IDToken     string         `json:"h,omitempty"`
}

// login is one as requests need it. It does not change.
type login struct {
	stored
	user     *auth.User
	bySub    string // its keys in Method.ended
	bySID    string
	asStored string
}

const (
	maxStored   = 8 << 10
	leastExpiry = 30 * time.Second
	mostExpiry  = 24 * time.Hour
	usualExpiry = 5 * time.Minute
)

// newLogin makes a login of what a provider says.
func (m *Method) newLogin(claims issuer.Claims, t grant, at time.Time) (*login, error) {
	p, err := issuer.Mapping(m.cfg.Claims).Read(claims)
	if err != nil {
		return nil, err
	}
	s := stored{
		Name: p.Name, Groups: p.Groups, DisplayName: p.DisplayName, Email: p.Email, At: at.UnixMilli(), Refresh: t.refresh,
	}
	if s.Subject, err = claims.Text("sub"); err == nil {
		s.SID, err = claims.Text("sid")
	}
	if err != nil {
		return nil, err
	}
	for _, name := range m.cfg.Keep {
		if v, found := claims.Lookup(name); found {
			if s.Claims == nil {
				s.Claims = map[string]any{}
			}
			s.Claims[name] = v
		}
	}
	if t.refresh != "" {
		s.Expires = t.expires(time.Now())
	}
	if m.cfg.KeepIDToken {
		s.IDToken = t.idToken
	}
	return m.store(s)
}

// store makes a login of what is stored of it.
func (m *Method) store(s stored) (*login, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if len(data) > maxStored {
		return nil, &request.Error{
			Status:  http.StatusInternalServerError,
			Message: "The login provider says too much of the user.",
			Err:     fmt.Errorf("%d bytes of %s (%d groups) do not fit into a session, which holds %d: let the provider send less, or keep less", len(data), s.Name, len(s.Groups), maxStored),
		}
	}
	l, _ := m.read(string(data))
	if l == nil {
		return nil, fmt.Errorf("the login of %q cannot be stored", s.Name)
	}
	return l, nil
}

// read gives the login that a session's value holds. What is not one, of
// another version or of somebody else's making, is none.
func (m *Method) read(value string) (*login, bool) {
	if l, ok := m.logins.Get(value); ok {
		return l, true
	}
	l := &login{asStored: value}
	if len(value) > maxStored || json.Unmarshal([]byte(value), &l.stored) != nil || l.Name == "" || l.Subject == "" || l.At <= 0 {
		return nil, false
	}
	l.user = &auth.User{
		Name: l.Name, Groups: l.Groups, DisplayName: l.DisplayName, Email: l.Email, Claims: l.Claims, Method: "oidc",
	}
	l.bySub = "sub " + l.Subject
	m.names.Put(l.bySub, l.Name, len(l.bySub)+len(l.Name))
	if l.SID != "" {
		l.bySID = "sid " + l.SID
		m.names.Put(l.bySID, l.Name, len(l.bySID)+len(l.Name))
	}
	m.logins.Put(value, l, 4*len(value)+512)
	return l, true
}

// hasEnded reports whether the provider has ended the login.
func (m *Method) hasEnded(l *login) bool {
	if m.ended.Len() == 0 {
		return false
	}
	if at, ok := m.ended.Get(l.bySub); ok && l.At <= at {
		return true
	}
	at, ok := m.ended.Get(l.bySID)
	return ok && l.bySID != "" && l.At <= at
}
