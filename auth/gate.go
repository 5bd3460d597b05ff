package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// GateConfig says what a [Gate] asks for. Methods must be set.
type GateConfig struct {
	// Methods are asked in this order. The first user that one finds is kept.
	Methods []Method

	// Optional lets requests without credentials pass, as nobody's.
	Optional bool

	// ErrorFunc answers requests that are refused. Nil: the errors layer around
	// the gate, or plain text without one.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// A Gate lets requests of known users pass. It is safe for concurrent use.
//
// Every method is asked. Credentials that are wrong refuse a request whatever
// other methods find. A request without credentials is refused unless the gate
// is optional: with 401 and the challenges of all methods, or, if it is a
// browser's navigation and a method has a login page, with a redirect there.
//
// A gate inside another one decides anew: it needs a user of its own finding,
// who is then the user for what stands inside it, and for nothing else. Only
// where an optional one, or a [Fallback], lets nobody pass, the outer one's user
// stays.
type Gate struct {
	layers []*Layer
	fail   func(http.ResponseWriter, *http.Request, error)
}

// NewGate makes a gate of one or several methods.
func NewGate(cfg GateConfig) (*Gate, error) {
	g := &Gate{fail: cfg.ErrorFunc}
	for _, m := range cfg.Methods {
		if m == nil {
			return nil, errors.New("gate: a method is nil")
		}
		g.layers = append(g.layers, NewLayer(m, cfg.Optional))
	}
	if len(g.layers) == 0 {
		return nil, errors.New("gate: Methods must be set (an empty gate would let everyone pass)")
	}
	return g, nil
}

// Wrap puts the gate before next.
func (g *Gate) Wrap(next http.Handler) http.Handler {
	h := newDecision(next, g.fail)
	for i := len(g.layers) - 1; i >= 0; i-- {
		h = g.layers[i].Wrap(h)
	}
	return h
}

// Wrap puts a gate of a single method before next.
func Wrap(m Method, next http.Handler) http.Handler {
	return NewLayer(m, false).Wrap(End(next))
}

// A Layer is one method of a gate whose methods are layers of their own, side
// by side, each under its own conditions. It refuses nothing itself: [End] must
// stand inside the last of them, and decides. [Outgoing] and [Require] refuse
// requests that have met a Layer and no End.
type Layer struct {
	method      Method
	optional    bool
	fallback    bool
	credentials Credentials
	ambient     bool   // browsers add the credentials by themselves
	keeper      Keeper // nil: users are known by no session
}

// unseen reports whether caches can't see that the answer is one user's.
func (l *Layer) unseen() bool { return l.keeper == nil && l.credentials.Scheme == "" }

// NewLayer makes a layer. Where all methods that a request meets are optional,
// requests without credentials pass.
func NewLayer(m Method, optional bool) *Layer {
	l := &Layer{method: m, optional: optional, ambient: true}
	if a, ok := m.(Ambient); ok {
		l.ambient = a.Ambient()
	}
	l.keeper, _ = m.(Keeper)
	_, l.fallback = m.(Fallback)
	if h, ok := m.(Holder); ok {
		l.credentials = h.Credentials()
	}
	return l
}

// Wrap makes the method one of those that the next [End] asks.
func (l *Layer) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := placeOf(r.Context())
		if !ok {
			s := &state{}
			r = r.WithContext(context.WithValue(r.Context(), stateKey{}, s))
			p = place{trail: &s.trail, identity: &s.identity}
		}
		before := len(p.trail.Asked)
		p.trail.Ask(l)
		next.ServeHTTP(w, r)
		p.trail.Asked = p.trail.Asked[:before]
	})
}

// place is where a request's trail and user are kept.
type place struct {
	rec      *request.Record // nil outside mountd
	trail    *request.Trail
	identity *any
}

// state stands in for the record of a request that has none.
type state struct {
	trail    request.Trail
	identity any
}

type stateKey struct{}

func placeOf(ctx context.Context) (place, bool) {
	if rec := request.From(ctx); rec != nil {
		return place{rec, &rec.Auth, &rec.Identity}, true
	}
	if s, ok := ctx.Value(stateKey{}).(*state); ok {
		return place{nil, &s.trail, &s.identity}, true
	}
	return place{}, false
}

// undecided reports whether the request has met a method that no gate has
// decided about.
func (p place) undecided() bool { return p.trail.Decided != len(p.trail.Asked) }

// End decides about the methods of the layers around it, and lets a request
// pass to next or refuses it. Requests that have met none pass.
func End(next http.Handler) http.Handler { return newDecision(next, nil) }

func newDecision(next http.Handler, fail func(http.ResponseWriter, *http.Request, error)) http.Handler {
	if fail == nil {
		fail = request.Fail
	}
	return &decision{next, fail}
}

type decision struct {
	next http.Handler
	fail func(http.ResponseWriter, *http.Request, error)
}

func (d *decision) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := placeOf(r.Context())
	if !ok || !p.undecided() {
		d.next.ServeHTTP(w, r)
		return
	}
	asked := p.trail.Asked[p.trail.Decided:]
	f := ask(w, r, asked)
	if f.err == nil && f.by != nil && f.by.ambient {
		f.err = CheckUpgradeOrigin(r)
	}
	if f.err != nil || f.user == nil && !f.allowed && !allOptional(asked) {
		d.refuse(w, r, asked, f)
		return
	}
	identity, decided := *p.identity, p.trail.Decided
	p.trail.Decided = len(p.trail.Asked)
	if f.user != nil {
		*p.identity = f.user
		if p.rec != nil {
			p.rec.User = f.user.Name
		}
	}
	d.pass(w, r, f.by)
	*p.identity, p.trail.Decided = identity, decided
}

// pass serves a request that by lets pass, nil if it has no user.
func (d *decision) pass(w http.ResponseWriter, r *http.Request, by *Layer) {
	if by != nil && by.unseen() {
		ww := httpwrap.Of(w)
		ww.Before(private{})
		w = ww
	}
	if by != nil && by.keeper != nil && lasts(r) {
		serveWatched(d.next, w, r, by.keeper.Watch)
		return
	}
	d.next.ServeHTTP(w, r)
}

// private keeps an answer out of shared caches.
type private struct{}

func (private) BeforeHeader(_ int, h http.Header) {
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"private"}
	}
}

// finding is what the methods of a gate say together.
type finding struct {
	user    *User
	allowed bool // a fallback lets the request pass as nobody's
	err     error
	by      *Layer // who says so
}

// ask asks the methods until one of them refuses. Those that ask somebody else
// come last.
func ask(w http.ResponseWriter, r *http.Request, asked []any) (f finding) {
	later := false
	for _, a := range asked {
		l := a.(*Layer)
		if l.fallback {
			later = true
			continue
		}
		if f.add(l, w, r); f.err != nil {
			return f
		}
	}
	if later {
		forgetClaims(r, asked, f.user != nil)
	}
	for i := 0; later && f.user == nil && !f.allowed && i < len(asked); i++ {
		l := asked[i].(*Layer)
		if !l.fallback {
			continue
		}
		if f.add(l, w, r); f.err != nil {
			return f
		}
	}
	return f
}

func (f *finding) add(l *Layer, w http.ResponseWriter, r *http.Request) {
	u, err := l.method.Authenticate(w, r)
	if err == nil && u != nil {
		if l.fallback && u.Name == "" {
			f.allowed, f.by = true, l
			return
		}
		err = checkName(u.Name)
	}
	switch {
	case err != nil:
		f.user, f.err, f.by = nil, err, l
	case f.user == nil && u != nil:
		f.user, f.by = u, l
	}
}

func allOptional(asked []any) bool {
	for _, a := range asked {
		if !a.(*Layer).optional {
			return false
		}
	}
	return true
}

// maxName bounds the names of users, in bytes.
const maxName = 1024

// checkName refuses names that an application could take for another one, or
// that a header field cannot hold.
func checkName(name string) error {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f {
			return checkUnusualName(name)
		}
	}
	if name == "" || len(name) > maxName {
		return checkUnusualName(name)
	}
	return nil
}

func checkUnusualName(name string) error {
	var what string
	switch {
	case name == "":
		what = "is empty"
	case len(name) > maxName:
		what = "is too long"
	case !utf8.ValidString(name):
		what = "is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		what = "holds control characters"
	case strings.TrimSpace(name) != name:
		what = "begins or ends with a blank"
	default:
		return nil
	}
	return &request.Error{Status: http.StatusUnauthorized, Err: errors.New("the user's name " + what)}
}
