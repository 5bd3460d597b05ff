package bearer

import (
	"errors"
	"net/http"
	"strings"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
	"github.com/mountd/mountd/internal/request"
)

var errScope = errors.New("the token lacks a scope")

// Challenge asks for a token. To a request that has sent one it says that it
// was wrong.
func (m *Method) Challenge(r *http.Request) auth.Challenge {
	for _, line := range r.Header["Authorization"] {
		if _, found := fromLine(line); found {
			return auth.Challenge{Header: m.challenge("invalid_token", "")}
		}
	}
	return auth.Challenge{Header: m.bare}
}

// challenge is a value for WWW-Authenticate (RFC 6750, 3).
func (m *Method) challenge(code, description string) string {
	var b strings.Builder
	b.WriteString(`Bearer realm="` + m.cfg.Realm + `"`)
	if len(m.cfg.Scopes) > 0 && code != "invalid_token" {
		b.WriteString(`, scope="` + strings.Join(m.cfg.Scopes, " ") + `"`)
	}
	if code != "" {
		b.WriteString(`, error="` + code + `"`)
	}
	if description != "" {
		b.WriteString(`, error_description="` + plain(description) + `"`)
	}
	return b.String()
}

// plain leaves what may stand in an error_description.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return -1
		}
		return r
	}, s)
}

// refusal makes an answer of what keeps a request from its user.
func (m *Method) refusal(err error) error {
	var wrong *issuer.InvalidError
	switch {
	case errors.As(err, &wrong):
		return &request.Error{
			Status:  http.StatusUnauthorized,
			Message: "The token is not valid: " + wrong.Reason + ".",
			Header:  m.header(m.challenge("invalid_token", wrong.Reason)),
			Err:     err,
		}
	case errors.Is(err, errScope):
		return &request.Error{
			Status:  http.StatusForbidden,
			Message: "The token does not allow this.",
			Header:  m.header(m.challenge("insufficient_scope", "")),
			Err:     err,
		}
	case errors.Is(err, errSeveral):
		return &request.Error{
			Status:  http.StatusBadRequest,
			Message: "The request has several Authorization fields.",
			Header:  m.header(m.challenge("invalid_request", "")),
			Err:     err,
		}
	}
	return &request.Error{
		Status:  http.StatusServiceUnavailable,
		Message: "The issuer of the token cannot be asked at the moment.",
		Header:  http.Header{"Retry-After": {"5"}, "Cache-Control": {"no-store"}},
		Err:     err,
	}
}

func (m *Method) header(challenge string) http.Header {
	return http.Header{"Www-Authenticate": {challenge}, "Cache-Control": {"no-store"}}
}
