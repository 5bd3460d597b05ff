package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// RequireConfig says which users may pass. The zero value lets every known user
// pass.
type RequireConfig struct {
	// Users, Groups and Claims list who may pass: by name, by a group, by a
	// claim of a token. A claim fits if its value, or an item of its list, is
	// one of those given; its name may be a path with dots. Claims fit if all of
	// them do. All lists that are not empty must fit.
	Users  []string
	Groups []string
	Claims map[string][]string

	// Any makes one list enough.
	Any bool

	// ErrorFunc answers requests that are refused: with 401 and the challenges
	// of the gates around where nobody is known (browsers are sent to a login
	// page, as by a [Gate]), with 403 else. Nil: the errors layer around, or
	// plain text without one.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Require lets some of the known users pass. Where nobody is known, because no
// gate stands around it or none applies, nobody passes. It is safe for
// concurrent use.
type Require struct {
	cfg  RequireConfig
	want int // lists that must fit
}

// NewRequire makes a Require. Its error names every empty name.
func NewRequire(cfg RequireConfig) (*Require, error) {
	q := &Require{cfg: cfg}
	q.cfg.Users, q.cfg.Groups = slices.Clone(cfg.Users), slices.Clone(cfg.Groups)
	q.cfg.Claims = maps.Clone(cfg.Claims)
	var errs []error
	for _, list := range []struct {
		option string
		names  []string
	}{{"users", cfg.Users}, {"groups", cfg.Groups}} {
		if i := slices.Index(list.names, ""); i >= 0 {
			errs = append(errs, &optionError{fmt.Sprintf("%s[%d]", list.option, i), errors.New("the name is empty")})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Claims)) {
		if name == "" || len(cfg.Claims[name]) == 0 {
			errs = append(errs, &optionError{"claims." + name, errors.New("it needs a name and a value (write {department: sales})")})
		}
	}
	for _, n := range []int{len(cfg.Users), len(cfg.Groups), len(cfg.Claims)} {
		if n > 0 {
			q.want++
		}
	}
	if cfg.Any && q.want > 1 {
		q.want = 1
	}
	if q.cfg.ErrorFunc == nil {
		q.cfg.ErrorFunc = request.Fail
	}
	return q, errors.Join(errs...)
}

// Wrap puts the layer before next.
func (q *Require) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, known := placeOf(r.Context())
		if known && p.undecided() {
			q.cfg.ErrorFunc(w, r, errors.New("authentication was begun and not decided"))
			return
		}
		u, ok := UserFromContext(r.Context())
		switch {
		case ok && q.fits(u):
			next.ServeHTTP(w, r)
		case ok:
			q.cfg.ErrorFunc(w, r, &request.Error{Status: http.StatusForbidden, Err: fmt.Errorf("require: %q may not", u.Name)})
		default:
			var asked []any
			if known {
				asked = p.trail.Asked
			}
			(&decision{nil, q.cfg.ErrorFunc}).refuse(w, r, asked, finding{})
		}
	})
}

func (q *Require) fits(u *User) bool {
	have := 0
	if slices.Contains(q.cfg.Users, u.Name) {
		have++
	}
	if slices.ContainsFunc(u.Groups, func(g string) bool { return slices.Contains(q.cfg.Groups, g) }) {
		have++
	}
	if len(q.cfg.Claims) > 0 && q.claims(u) {
		have++
	}
	return have >= q.want
}

// claims reports whether all claims fit.
func (q *Require) claims(u *User) bool {
	for name, values := range q.cfg.Claims {
		if !claimFits(claim(u.Claims, name), values) {
			return false
		}
	}
	return true
}

// claim finds a claim by its name, or by a path of names.
func claim(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	head, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	inner, _ := claims[head].(map[string]any)
	return claim(inner, rest)
}

func claimFits(v any, values []string) bool {
	switch v := v.(type) {
	case string:
		return slices.Contains(values, v)
	case bool:
		return slices.Contains(values, strconv.FormatBool(v))
	case float64:
		return slices.Contains(values, strconv.FormatFloat(v, 'f', -1, 64))
	case json.Number:
		return slices.Contains(values, v.String())
	case []string:
		return slices.ContainsFunc(v, func(s string) bool { return slices.Contains(values, s) })
	case []any:
		for _, item := range v {
			if _, list := item.([]any); !list && claimFits(item, values) {
				return true
			}
		}
	}
	return false
}
