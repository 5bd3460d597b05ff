package auth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// HeaderConfig says in which fields a proxy in front tells who the user is.
// Empty fields stand for nothing told; User must be set.
type HeaderConfig struct {
	User   string // the user's name
	Groups string // the user's groups, with commas between them
	Name   string // the user's full name
	Email  string

	// Trusted reports whether r comes from such a proxy, where mountd's own
	// front door does not say so. Nil: none does.
	Trusted func(r *http.Request) bool
}

// Header is a [Method]: the word of a proxy in front. The proxy must remove what
// clients say in these fields. It is safe for concurrent use.
type Header struct {
	user, groups, name, email string
	trusted                   func(*http.Request) bool
}

// NewHeader makes a Header. Its error names every field that cannot be one.
func NewHeader(cfg HeaderConfig) (*Header, error) {
	h := &Header{trusted: cfg.Trusted}
	var errs []error
	if cfg.User == "" {
		errs = append(errs, &optionError{"user", errors.New("the field that names the user is missing (write Remote-User)")})
	}
	for _, f := range []struct {
		option, name string
		to           *string
	}{{"user", cfg.User, &h.user}, {"groups", cfg.Groups, &h.groups}, {"name", cfg.Name, &h.name}, {"email", cfg.Email, &h.email}} {
		if f.name == "" {
			continue
		}
		var err error
		if *f.to, err = identityField(f.name); err != nil {
			errs = append(errs, &optionError{f.option, err})
		}
	}
	return h, errors.Join(errs...)
}

// Ambient says no: the proxy in front decides who may ask for what.
func (h *Header) Ambient() bool { return false }

// Wrap puts a gate of this method alone before next.
func (h *Header) Wrap(next http.Handler) http.Handler { return Wrap(h, next) }

// Challenge is empty: a client can't log in by this method.
func (h *Header) Challenge(*http.Request) Challenge { return Challenge{} }

// Authenticate gives the user that the proxy in front names.
func (h *Header) Authenticate(_ http.ResponseWriter, r *http.Request) (*User, error) {
	told := h.told(r)
	lines := told[h.user]
	if len(lines) == 0 || len(lines) == 1 && lines[0] == "" {
		return nil, nil
	}
	for _, name := range [...]string{h.user, h.groups, h.name, h.email} {
		if name != "" && name != h.groups && len(told[name]) > 1 {
			return nil, &request.Error{Status: http.StatusUnauthorized, Err: errors.New("header: " + name + " came twice")}
		}
	}
	return &User{
		Name: lines[0], Groups: splitGroups(told[h.groups]), Method: "header",
		DisplayName: sayable(first(told[h.name])), Email: sayable(first(told[h.email])),
	}, nil
}

// told gives the fields that count. The front door has taken those of trusted
// proxies out of the request.
func (h *Header) told(r *http.Request) http.Header {
	if rec := request.From(r.Context()); rec != nil {
		if !rec.PeerTrusted {
			return nil
		}
		return rec.Asserted
	}
	if h.trusted == nil || !h.trusted(r) {
		return nil
	}
	return r.Header
}

func splitGroups(lines []string) []string {
	var groups []string
	for _, line := range lines {
		for g := range strings.SplitSeq(line, ",") {
			if g = strings.TrimSpace(g); g != "" {
				groups = append(groups, g)
			}
		}
	}
	return groups
}
