package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/wire"
)

// Config says where requests go and how. Its values are copied by [New]; later
// changes have no effect. Apart from Upstreams every zero value means the
// default.
type Config struct {
	// Upstreams must hold at least one.
	Upstreams []Upstream

	// Balance chooses among several upstreams.
	Balance Balance

	// Health asks the upstreams regularly whether they are well. Without a
	// path they are asked nothing.
	Health Health

	// MaxFails failures within FailTimeout keep an upstream out of the choice
	// for FailTimeout, as long as there is another one. Failures are refused
	// connections, time-outs and answers that are no HTTP; a 5xx is an answer.
	// 0 means 3, negative: never.
	MaxFails int
	// FailTimeout of 0 means 10s.
	FailTimeout time.Duration

	// Retries is how many more upstreams (or the only one again) are tried:
	// after a failed connection whatever the request, after that only when it
	// is idempotent and its body can be sent again, and never after the answer
	// has begun. 0 means 1, negative: none.
	Retries int

	// ConnectTimeout bounds name resolution, connection and TLS handshake
	// together. 0 means 5s.
	ConnectTimeout time.Duration

	// ResponseTimeout is how long the upstream may take to the end of its
	// answer's header, once it has got the whole request; 504 after that. It
	// is kept to within an eighth. The same time bounds an upstream that takes
	// nothing of a request's body. 0 means 60s, negative: no limit.
	ResponseTimeout time.Duration

	// Flush is "auto" (or empty: what comes in pieces of unknown length goes
	// out as it comes), "always" or "never".
	Flush string

	// Host is what the upstream sees as Host: "client" (what the client asked
	// for), "upstream" (the target's own name) or a name. With the last two,
	// an Origin or Referer that names the client's host names that one too,
	// and there is no X-Forwarded-Host: one identity throughout. Empty means
	// "upstream" for https and "client" for everything else.
	Host string

	// KeepPrefix sends the script name in front of the path.
	KeepPrefix bool

	// TLS is how https upstreams are spoken to.
	TLS TLS

	// MaxConns bounds the requests an upstream serves at a time. What exceeds
	// it waits in a queue of 512 for up to 10s and is then refused with 503.
	// 0: no bound.
	MaxConns int

	// BufferRequest takes in a request's whole body, in memory up to 1 MiB and
	// in a temporary file beyond, before the upstream hears of it.
	BufferRequest bool

	// ScriptName gives the path prefix that was taken off a request, for
	// X-Forwarded-Prefix and KeepPrefix. RawScriptName gives it escaped, as it
	// was sent. nil: no prefix; one may stand without the other.
	ScriptName, RawScriptName func(*http.Request) string

	// Bare tells that the request named the mount point alone, without the
	// slash that its path now consists of. nil: never.
	Bare func(*http.Request) bool

	// Name is what log messages call this proxy: its mount.
	Name string

	// ErrorFunc answers a request that no upstream has answered. The error
	// knows its status (502, 503, 504; 499 when the client has left) through
	// HTTPStatus. nil: the errors layer around, or plain text.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)

	// Logger hears of upstreams that go and come back, and of answers cut
	// short. nil: slog.Default.
	Logger *slog.Logger
}

// Upstream is one server requests are sent to.
type Upstream struct {
	// URL is http://host[:port][/path], https://…, h2c://… (HTTP/2 without
	// TLS) or unix:/socket[:/path]. The request's path is put behind the
	// URL's. {name} in host or path stands for r.PathValue(name), which must
	// be one clean segment, and in the host consist of letters, digits and
	// inner hyphens; a request for which it is not gets 404.
	URL string
	// Weight is its share; 0 means 1.
	Weight int
	// Backup is used only while no other upstream is available.
	Backup bool
}

// Balance is a way to choose among upstreams.
type Balance struct {
	// Policy is round_robin (or empty), least_conn, random_two, ip_hash,
	// cookie, header or first. The hashes are consistent: when an upstream
	// goes, only its clients move.
	Policy string
	// Name of the cookie or header for those two. A request without it is
	// hashed by its client's address.
	Name string
}

// Health describes the question that finds out whether an upstream is well.
type Health struct {
	// Path that is asked for below the upstream's own path; empty: no checks.
	Path string
	// Interval between two questions, varied by a tenth; 0 means 10s.
	Interval time.Duration
	// Timeout of one question; 0 means 2s.
	Timeout time.Duration
	// Status that is well: "2xx", "200", "200-399" or several with commas.
	// Empty means 2xx.
	Status string
	// Fails in a row take the upstream out; 0 means 3.
	Fails int
	// Passes in a row bring it back; 0 means 2.
	Passes int
}

// TLS is the client's side of TLS. Files are PEM and read once, by [New].
type TLS struct {
	// CA holds the certificates to trust; empty: the system's.
	CA string
	// Cert and Key are the client's own certificate; both or none.
	Cert, Key string
	// ServerName to ask for and verify; empty: the URL's host.
	ServerName string
	// InsecureSkipVerify trusts any certificate.
	InsecureSkipVerify bool
}

const (
	queueLength = 512
	queueWait   = 10 * time.Second
)

type flushMode int

const (
	flushAuto flushMode = iota
	flushAlways
	flushNever
)

// An optionError is a mistake in one option.
type optionError struct {
	path string
	err  error
}

func (e *optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e *optionError) Unwrap() error      { return e.err }
func (e *optionError) OptionPath() string { return e.path }

func option(path, format string, args ...any) error {
	return &optionError{path, fmt.Errorf(format, args...)}
}

func (cfg Config) withDefaults() Config {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
		*v = max(*v, 0)
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
		*v = max(*v, 0)
	}
	orInt(&cfg.MaxFails, 3)
	orInt(&cfg.Retries, 1)
	orInt(&cfg.Health.Fails, 3)
	orInt(&cfg.Health.Passes, 2)
	orTime(&cfg.FailTimeout, 10*time.Second)
	orTime(&cfg.ConnectTimeout, 5*time.Second)
	orTime(&cfg.ResponseTimeout, 60*time.Second)
	orTime(&cfg.Health.Interval, 10*time.Second)
	orTime(&cfg.Health.Timeout, 2*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg
}

func (cfg *Config) validate() error {
	var errs []error
	if len(cfg.Upstreams) == 0 {
		errs = append(errs, option("to", "no upstream is given (write an address like http://127.0.0.1:9000)"))
	}
	switch cfg.Flush {
	case "", "auto", "always", "never":
	default:
		errs = append(errs, option("flush", "%q is none of auto, always, never", cfg.Flush))
	}
	switch cfg.Balance.Policy {
	case "cookie", "header":
		if !wire.IsToken(cfg.Balance.Name) {
			errs = append(errs, option("balance."+cfg.Balance.Policy, "%q is no name of a %s", cfg.Balance.Name, cfg.Balance.Policy))
		}
	case "", "round_robin", "least_conn", "random_two", "ip_hash", "first":
	default:
		errs = append(errs, option("balance", "%q is none of round_robin, least_conn, random_two, ip_hash, {cookie: name}, {header: name}, first", cfg.Balance.Policy))
	}
	if h := cfg.Host; h != "" && !isHost(h) {
		errs = append(errs, option("host", "%q is no host name (write client, upstream or a name)", h))
	}
	if cfg.MaxConns < 0 {
		errs = append(errs, option("max_conns", "%d is negative (0 means no bound)", cfg.MaxConns))
	}
	if p := cfg.Health.Path; p != "" && (p[0] != '/' || strings.ContainsFunc(p, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' })) {
		errs = append(errs, option("health.path", "%q is no path (write one like /healthz)", p))
	}
	if _, err := parseStatuses(cfg.Health.Status); err != nil {
		errs = append(errs, &optionError{"health.status", err})
	}
	return errors.Join(errs...)
}

// A statusRange is an inclusive range of HTTP statuses.
type statusRange struct{ from, to int }

func parseStatuses(s string) ([]statusRange, error) {
	if s == "" {
		s = "2xx"
	}
	var out []statusRange
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		from, to, isRange := strings.Cut(part, "-")
		if class, ok := strings.CutSuffix(part, "xx"); ok && len(class) == 1 {
			from, to, isRange = class+"00", class+"99", true
		}
		if !isRange {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < 100 || b > 599 || a > b {
			return nil, fmt.Errorf("%q is no status (write 2xx, 200 or 200-399)", part)
		}
		out = append(out, statusRange{a, b})
	}
	return out, nil
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify,
		ClientSessionCache: tls.NewLRUClientSessionCache(64),
	}
	var errs []error
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			errs = append(errs, option("tls.ca", "read certificates: %w", err))
		} else if cfg.RootCAs = x509.NewCertPool(); !cfg.RootCAs.AppendCertsFromPEM(pem) {
			errs = append(errs, option("tls.ca", "%s holds no certificate (PEM is expected)", t.CA))
		}
	}
	switch {
	case t.Cert == "" && t.Key == "":
	case t.Cert == "" || t.Key == "":
		errs = append(errs, option("tls.cert", "cert and key must be given together"))
	default:
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			errs = append(errs, option("tls.cert", "read certificate: %w", err))
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, errors.Join(errs...)
}
