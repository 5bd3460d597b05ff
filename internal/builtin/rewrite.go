package builtin

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/rewrite"
)

type rewriteOptions struct {
	Path     rewriteRule `yaml:"path" doc:"what becomes what"`
	Redirect int         `yaml:"redirect" doc:"status to redirect with; 0 passes the request on with the new path"`
}

type rewriteRule struct {
	From string `yaml:"from" doc:"a glob that begins with /, or a regular expression that begins with ^"`
	To   string `yaml:"to" doc:"the new path; $1 or {name} stand for what was captured"`
}

func rewriting() compose.Factory {
	f := compose.Define("rewrites paths below the mount", rewriteOptions{},
		func(o rewriteOptions) (compose.Instance, error) {
			m, err := rewrite.New(rewrite.Config{From: o.Path.From, To: o.Path.To, Redirect: o.Redirect, Prefix: publicPrefix, Check: staysInMount, ErrorFunc: errorhandler.Error})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
	var outside []compose.Relation
	for _, name := range []string{"auth.*", "require", "csrf", "ip", "limit.*"} {
		outside = append(outside, compose.Relation{Of: name, PathBound: true, Because: "a rewritten path would escape its condition"})
	}
	f = f.WithRules(compose.Rules{Outside: outside})
	return compose.DescribeFor(f, func(o rewriteOptions) string { return o.Path.From + " → " + o.Path.To })
}

// staysInMount refuses a new path that belongs to a mount further in: the
// request would get there past the layers of that one.
func staysInMount(r *http.Request, path, raw string) error {
	if raw == "" {
		raw = (&url.URL{Path: path}).EscapedPath()
	}
	if dispatcher.Keeps(r, raw) {
		return nil
	}
	return &request.Error{Status: http.StatusBadRequest, Err: fmt.Errorf("rewritten to %q, which is another mount's", raw)}
}
