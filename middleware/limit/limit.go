// Package limit keeps requests within bounds: how many a client may send in a
// time ([Rate]), how many are served at once ([Concurrent]), and how large
// their bodies may be ([Body]).
package limit

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// ErrorFunc answers a request that is refused. The error tells the status, the
// text for the client and further header fields with methods HTTPStatus,
// ClientMessage and HTTPHeader.
type ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)

// seconds writes d as whole seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(max(d, 0).Seconds())), 10)
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
