package builtin

import (
	"net/http"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
)

type forwardOptions struct {
	To             string         `yaml:"to" doc:"the service to ask: http://, https:// or unix:/path/to/socket:/path"`
	Copy           option.Strings `yaml:"copy" doc:"fields of its answer that go on with the request"`
	RequestHeaders option.Strings `yaml:"request_headers" doc:"fields of the request that it gets; none: all but those of the body"`
	Timeout        time.Duration  `yaml:"timeout" doc:"how long it may take to answer"`
	User           string         `yaml:"user" doc:"the copied field with the user's name; default: the one that is known to have it"`
	Groups         string         `yaml:"groups" doc:"the copied field with the user's groups"`
	Name           string         `yaml:"name" doc:"the copied field with the user's full name"`
	Email          string         `yaml:"email" doc:"the copied field with the user's address"`
	Optional       bool           `yaml:"optional" doc:"let requests pass, as nobody's, for which it answers 401 or with a redirect"`
}

func forwardedAuth(env Env) compose.Factory {
	defaults := forwardOptions{Copy: option.Strings{"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"}, Timeout: 5 * time.Second}
	f := compose.Define("asks another service about each request", defaults,
		func(o forwardOptions) (compose.Instance, error) {
			forward, err := auth.NewForward(auth.ForwardConfig{
				To: o.To, Copy: o.copied(), RequestHeaders: o.RequestHeaders, Timeout: o.Timeout,
				User: o.User, Groups: o.Groups, Name: o.Name, Email: o.Email, Optional: o.Optional, Logger: env.Logger,
			})
			if err != nil {
				return compose.Instance{}, err
			}
			in := authLayer(forward, o.Optional)
			in.Close = forward.Close
			return in, nil
		})
	f = compose.ReservesFor(f, func(o forwardOptions) []string {
		var names []string
		for _, name := range o.Copy {
			// Authorization is the client's own until the service replaces it.
			if name != "" && isFieldName(name) && http.CanonicalHeaderKey(name) != "Authorization" {
				names = append(names, name)
			}
		}
		return names
	})
	f = f.WithRules(authRules())
	return compose.DescribeFor(f, func(o forwardOptions) string { return optionally(o.Optional, "asks "+o.To) })
}

// copied is never nil, which would stand for the default.
func (o forwardOptions) copied() []string { return append([]string{}, o.Copy...) }
