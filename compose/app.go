package compose

import (
	"log/slog"
	"net/http"
	"sort"
	"strings"
)

// App is the application at the end of a chain.
type App struct {
	Handler http.Handler
	Close   func() error // nil: nothing to close

	// Slash asks for GET and HEAD of the bare prefix to be redirected to the
	// prefix with a slash, because the application's relative URLs need it.
	Slash bool

	// Foreign says that the application writes its own URLs without knowing
	// where it is mounted, so that its answers may have to be rebased.
	Foreign bool

	// Only lists the statuses that the application answers with, where it has
	// no others; nil: any.
	Only []int

	// Hosts are the application's own names, as "127.0.0.1:9000": absolute URLs
	// with them in its answers are its own.
	Hosts []string

	// Preview tells what the application would be sent, without sending it;
	// nil: serving a request has no effect, so it may simply be served.
	Preview func(r *http.Request) Preview
}

// Preview is what an application would be sent for a request.
type Preview struct {
	Method string      `json:"method"`
	Target string      `json:"target"` // a URL, or whatever names the place
	Header http.Header `json:"header"`
	Notes  []string    `json:"notes,omitempty"`
}

// AppContext is what an application is told of the place it is made for.
type AppContext struct {
	Name    string       // of the mount
	Pattern string       // of the mount, with those of the tables around it
	Params  []string     // names that the pattern captures
	Exact   bool         // nothing below the pattern is the mount's
	Logger  *slog.Logger // lines should name the mount

	// Nested makes an application out of a value of its own grammar: the apps
	// of a cascade. Errors carry their place already.
	Nested func(Decoder) (App, error)
}

// AppKind makes the applications of one kind. [DefineApp] makes one from a
// struct of options.
type AppKind struct {
	// Doc says in one line what the kind is for.
	Doc string

	// Schemes are what a short form of this kind starts with, besides the
	// kind's own name and a colon: "http://". The text is handed on whole.
	Schemes []string

	// Example is a short form, for messages and documentation.
	Example string

	// Beside says that the options stand beside the kind's key in the mount.
	Beside bool

	// Options gives a pointer to new options that hold the defaults.
	Options func() any

	// New makes the application. An error about one option has a method
	// OptionPath() string, as [OptionError] has.
	New func(ctx AppContext, options any) (App, error)

	// Transient says of the applications what [Factory.Transient] says of
	// layers. Those inside one, by [AppContext.Nested], speak for themselves.
	Transient bool
}

// DefineApp makes a kind whose options are of type O.
func DefineApp[O any](doc string, defaults O, build func(AppContext, O) (App, error)) AppKind {
	return AppKind{
		Doc:     doc,
		Options: func() any { o := defaults; return &o },
		New:     func(ctx AppContext, o any) (App, error) { return build(ctx, *o.(*O)) },
	}
}

// Apps maps the keys that stand for applications to their kinds.
type Apps map[string]AppKind

// Names gives the keys in order.
func (a Apps) Names() []string {
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Short tells which kind a short form is of, and what the kind's value is.
func (a Apps) Short(text string) (kind, value string, ok bool) {
	longest := -1
	for name, k := range a {
		for _, scheme := range k.Schemes {
			if strings.HasPrefix(text, scheme) && len(scheme) > longest {
				kind, value, longest = name, text, len(scheme)
			}
		}
	}
	if name, rest, found := strings.Cut(text, ":"); found && longest < 0 {
		if _, known := a[name]; known {
			return name, rest, true
		}
	}
	return kind, value, longest >= 0
}
