package server

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Config says where to listen and what to answer with.
type Config struct {
	// Listen must name at least one address. Port 0 is a port of the
	// system's choice, see [Server.Addresses].
	Listen []Address

	// TLS is spoken on every address that is not Plain. Nil: on none.
	TLS *TLS

	// HTTP limits what clients may send and how slowly.
	HTTP Limits

	// Grace is how long requests may finish after the server was told to
	// stop. Zero is 10 seconds, a negative value none at all.
	Grace time.Duration

	// Handler answers. It must be set for [Listen]; [Server.Reload] keeps the
	// old one when it is nil.
	Handler http.Handler

	// Challenges, if set, is put around what plain addresses answer, the
	// redirect to https included: certificate authorities ask there.
	Challenges func(next http.Handler) http.Handler

	// Logger gets what happens outside of requests. Nil discards it.
	Logger *slog.Logger

	// MaxConns bounds the open connections. For further ones the connections
	// that have been idle the longest are closed; where none is idle, they wait
	// in the system's queue. Zero is three fifths of the descriptors that the
	// process may have, as many proxied requests take two; a negative number is
	// no bound.
	MaxConns int

	// NetHTTP serves HTTP/1 with net/http's server as well, to compare with.
	// It is less strict about what it takes for a request, and slower.
	NetHTTP bool
}

// Limits bound a request. A zero value is the default, a negative time is no
// limit.
type Limits struct {
	// HeaderTimeout is the time to read a request's header, and for a TLS
	// handshake. 10 seconds.
	HeaderTimeout time.Duration

	// IdleTimeout is how long a connection may wait for its next request. 2
	// minutes.
	IdleTimeout time.Duration

	// BodyTimeout is how long a client may send nothing of its body while a
	// handler waits for it; [ErrBodyStalled] is what the handler reads then.
	// 30 seconds.
	BodyTimeout time.Duration

	// WriteTimeout is how long a client may take nothing while there is
	// something to send. Its connection is reset then. 60 seconds. Over
	// HTTP/2 a stream that takes less than 16 KiB in that time is reset.
	WriteTimeout time.Duration

	// MaxHeader bounds a request's header in bytes, the request line
	// included: 431. 64 KiB.
	MaxHeader int

	// MaxHeaders bounds the number of header lines: 431. 200.
	MaxHeaders int

	// MaxURL bounds the request target in bytes: 414. 16 KiB.
	MaxURL int

	// RedirectToHTTPS answers every request to a plain address with a 308 to
	// the same host and path, if there is TLS.
	RedirectToHTTPS bool
}

func (l Limits) withDefaults() Limits {
	l.HeaderTimeout = limit(l.HeaderTimeout, 10*time.Second)
	l.IdleTimeout = limit(l.IdleTimeout, 2*time.Minute)
	l.BodyTimeout = limit(l.BodyTimeout, 30*time.Second)
	l.WriteTimeout = limit(l.WriteTimeout, time.Minute)
	l.MaxHeader = cmp.Or(max(l.MaxHeader, 0), 64<<10)
	l.MaxHeaders = cmp.Or(max(l.MaxHeaders, 0), 200)
	l.MaxURL = cmp.Or(max(l.MaxURL, 0), 16<<10)
	return l
}

// limit gives 0 for no limit.
func limit(d, byDefault time.Duration) time.Duration {
	return max(cmp.Or(d, byDefault), 0)
}

// TLS says which certificates to show.
type TLS struct {
	// Certificates are chosen by the name the client asks for. A client that
	// asks for none of them gets the first. The files are watched: a new pair
	// is used from the next handshake on, and one that is broken, expired or
	// does not match its key is logged while the old pair stays.
	Certificates []KeyPair

	// SelfSigned makes a certificate for localhost, 127.0.0.1, ::1 and
	// SelfSignedHosts at every start. Nobody should trust it but for trying
	// things out.
	SelfSigned      bool
	SelfSignedHosts []string

	// ClientCAFile holds the authorities of client certificates. They are
	// asked for, not required, and one that none of them signed ends the
	// handshake. The file is watched like the certificates.
	ClientCAFile string

	// GetCertificate is asked for names that Certificates do not have. It may
	// give nil for a name that it does not know either.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// Protocols are offered besides h2 and http/1.1, for GetCertificate's
	// own handshakes.
	Protocols []string

	// Poll is how often the files are looked at. Zero is one second.
	Poll time.Duration
}

// KeyPair names the PEM files of a certificate with its chain, and its key.
type KeyPair struct {
	CertFile, KeyFile string
}

func (c Config) withDefaults() Config {
	c.HTTP = c.HTTP.withDefaults()
	c.Grace = limit(c.Grace, 10*time.Second)
	if c.MaxConns == 0 {
		c.MaxConns = defaultMaxConns()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// check collects what is wrong before anything is opened.
func (c Config) check() error {
	var errs []error
	if len(c.Listen) == 0 {
		errs = append(errs, errors.New(`nothing to listen on, write "127.0.0.1:8080"`))
	}
	for i, a := range c.Listen {
		if err := a.check(); err != nil {
			errs = append(errs, err)
		}
		for _, b := range c.Listen[:i] {
			if a.same(b) && !isPortZero(a) {
				errs = append(errs, fmt.Errorf("address %q is listed twice", a))
			}
		}
	}
	return errors.Join(errs...)
}
