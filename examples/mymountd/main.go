// Mymountd is a mountd of one's own: the daemon with a middleware and a kind of
// application more.
package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/mountd/mountd"
	"github.com/mountd/mountd/compose"
)

func main() { distribution().Main() }

func distribution() *mountd.Distribution {
	d := mountd.New()
	d.Name = "mymountd"
	d.Middlewares["hello"] = compose.Define("greets in a header", helloOptions{Name: "world"}, newHello)
	d.Apps["clock"] = compose.DefineApp("tells the time", clockOptions{Zone: "UTC"}, newClock)
	return d
}

// helloOptions is what a table may write behind "hello:". Its value in Define
// holds the defaults.
type helloOptions struct {
	Name string `yaml:"name" doc:"whom to greet"`
}

func newHello(o helloOptions) (compose.Instance, error) {
	return compose.Instance{Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Hello", o.Name)
			next.ServeHTTP(w, r)
		})
	}}, nil
}

type clockOptions struct {
	Zone string `yaml:"zone" doc:"a name of the time zone database"`
}

// newClock refuses a zone in a way that lets the table say line and column.
func newClock(_ compose.AppContext, o clockOptions) (compose.App, error) {
	zone, err := time.LoadLocation(o.Zone)
	if err != nil {
		return compose.App{}, &compose.OptionError{Path: "zone", Err: err}
	}
	return compose.App{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, time.Now().In(zone).Format(time.RFC3339))
	})}, nil
}
