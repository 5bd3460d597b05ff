// Package frontdoor is the handler around everything in mountd. It makes the
// [request.Record] of each request and refuses what no layer should have to
// think about, so that the layers behind it see
//
//   - one canonical path, host, scheme and client address, as far as trusted
//     proxies may tell them ("trusted view"); r.Host is the trusted host;
//   - no header that states an identity: those that a trusted proxy sent are
//     in Record.Asserted;
//   - no forwarding header that an untrusted peer sent;
//   - no header whose name a CGI-style environment would confuse with another
//     (it makes HTTP_REMOTE_USER of Remote-User, Remote_User and Remote.User
//     alike), and no "Proxy", which it would make HTTP_PROXY;
//   - no trailer that states anything of the above, or how the message or its
//     sender is to be taken.
//
// It answers "OPTIONS *", and refuses CONNECT and TRACE (405), methods that are
// not in upper case, targets that are no path, bad paths and bad hosts (400),
// targets and headers beyond the limits (414, 431), and requests that have come
// through this program too often (508).
package frontdoor

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/internal/wire"
)

// Pseudonym is the name by which a proxied request's Via header tells that it
// came through this program: "1.1 mountd".
const Pseudonym = "mountd"

// Config tells whom to trust. The zero value, with Next, trusts nobody.
type Config struct {
	// Next serves what is let in. It must be set.
	Next http.Handler

	// TrustedProxies are the peers whose forwarding and identity headers
	// count. TrustUnix makes peers on unix sockets such ones.
	TrustedProxies []netip.Prefix
	TrustUnix      bool

	// AllowHeaders are names of header fields with other characters than
	// letters, digits and dashes to let through. Identity, forwarding and
	// framing names in disguise are a mistake.
	AllowHeaders []string

	// IdentityHeaders are more names to treat as statements of an identity,
	// besides the usual ones.
	IdentityHeaders []string

	// MaxHops is how many times a request may have come through this program.
	// 0: 10.
	MaxHops int

	// MaxTarget limits the request target in bytes. 0: 16 KiB.
	MaxTarget int

	// MaxFields limits the number of header lines. 0: 200.
	MaxFields int

	// ErrorFunc answers refused requests; the request that it gets has a
	// record, as far as it could be filled. Nil: [request.Fail].
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// FrontDoor is the outermost handler. It is safe for concurrent use.
type FrontDoor struct {
	next      http.Handler
	fail      func(http.ResponseWriter, *http.Request, error)
	trusted   []netip.Prefix
	trustUnix bool
	names     names
	maxHops   int
	maxTarget int
	maxFields int
}

// New makes a FrontDoor; all mistakes of cfg are reported at once.
func New(cfg Config) (*FrontDoor, error) {
	d := &FrontDoor{
		next: cfg.Next, fail: cfg.ErrorFunc, trustUnix: cfg.TrustUnix,
		maxHops:   or(cfg.MaxHops, 10),
		maxTarget: or(cfg.MaxTarget, 16<<10),
		maxFields: or(cfg.MaxFields, 200),
	}
	var errs []error
	if d.next == nil {
		errs = append(errs, errors.New("front door: Next must be set"))
	}
	if d.fail == nil {
		d.fail = request.Fail
	}
	for i, p := range cfg.TrustedProxies {
		p, err := unmapPrefix(p)
		if err != nil {
			errs = append(errs, &optionError{fmt.Sprintf("trusted_proxies[%d]", i), err})
		}
		d.trusted = append(d.trusted, p)
	}
	var err error
	if d.names, err = newNames(cfg.IdentityHeaders, cfg.AllowHeaders); err != nil {
		errs = append(errs, err)
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return d, nil
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// optionError is a mistake in one option of the mount table.
type optionError struct {
	path string
	err  error
}

func (e *optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e *optionError) Unwrap() error      { return e.err }
func (e *optionError) OptionPath() string { return e.path }

// unmapPrefix turns networks of IPv4-mapped addresses into IPv4 ones.
func unmapPrefix(p netip.Prefix) (netip.Prefix, error) {
	switch {
	case !p.IsValid():
		return p, fmt.Errorf("%v is no network (write an address or a CIDR)", p)
	case !p.Addr().Is4In6():
		return p.Masked(), nil
	case p.Bits() < 96:
		return p, fmt.Errorf("%v holds more than IPv4-mapped addresses (write the IPv4 network)", p)
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked(), nil
}

// ServeHTTP lets a request in, or refuses it. It changes r's header, which
// nobody else has seen. Where nobody has kept the request (see
// [request.Record.Keep]), its record serves another one afterwards, and a
// response writer that is a [request.Recycler] is told.
func (d *FrontDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := request.Acquire(w, r)
	d.serve(rec)
	// Not deferred: after a panic, the record is left alone.
	if !rec.Release() {
		return
	}
	if server, ok := w.(request.Recycler); ok {
		server.Recycle()
	}
}

func (d *FrontDoor) serve(rec *request.Record) {
	rec.Start = time.Now()
	var w http.ResponseWriter = &rec.Writer
	r := &rec.Request
	d.setPeer(rec)
	err := d.admit(rec)
	switch {
	case err != nil:
		d.fail(w, r, err)
	case r.RequestURI == "*":
		w.Header().Set("Allow", allowed)
		w.WriteHeader(http.StatusNoContent)
	default:
		d.next.ServeHTTP(w, r)
		if !rec.Writer.Started() { // an answer of nothing has a header, too
			w.WriteHeader(http.StatusOK)
		}
	}
}

const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// admit fills the record. It goes on after a mistake, so that a refused
// request is logged with as much as is known of it, and gives the first one.
func (d *FrontDoor) admit(rec *request.Record) error {
	r := &rec.Request
	tooMany := d.clean(rec)
	hostErr := d.setView(rec)
	if err := checkMethod(r.Method); err != nil {
		return err
	}
	if r.ProtoMajor > 1 && !soundLength(r) {
		return bad("The request's Content-Length is not valid.")
	}
	pathErr := d.setPath(rec)
	for _, err := range [...]error{tooMany, hostErr, pathErr} {
		if err != nil {
			return err
		}
	}
	if hops(r.Header["Via"]) >= d.maxHops {
		return &request.Error{
			Status: http.StatusLoopDetected, Message: "The request goes round in circles.",
			Err: errors.New("a mount is proxied to this program itself"),
		}
	}
	if r.Trailer != nil {
		d.guardTrailer(r)
	}
	return nil
}

// soundLength reports whether a request of HTTP/2 is as long as it says:
// net/http takes a length that it cannot read for 0, and the first of several
// for all (RFC 9113, section 8.1.1).
func soundLength(r *http.Request) bool {
	values := r.Header["Content-Length"]
	if values == nil {
		return true
	}
	n, ok := wire.ParseLength(values[0])
	return ok && len(values) == 1 && n == r.ContentLength
}

func bad(message string) error {
	return &request.Error{Status: http.StatusBadRequest, Message: message}
}

// checkMethod refuses methods that no layer could treat safely. Methods are
// case-sensitive: "get" is not GET, so that no rule for GET would hold.
func checkMethod(method string) error {
	if method == http.MethodConnect || method == http.MethodTrace {
		return &request.Error{Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {allowed}}}
	}
	if method == "" || len(method) > 64 {
		return bad("The method of the request is not valid.")
	}
	for i := range len(method) {
		c := method[i]
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return bad("The method of the request is not valid: methods are written in upper case.")
		}
	}
	return nil
}

// setPath takes the path from the target as it was sent: net/http hides a raw
// '#', and mixes escapes up when some other byte is not escaped.
func (d *FrontDoor) setPath(rec *request.Record) error {
	r := &rec.Request
	if len(r.RequestURI) > d.maxTarget {
		return &request.Error{Status: http.StatusRequestURITooLong}
	}
	if r.RequestURI == "*" {
		if r.Method != http.MethodOptions {
			return bad("Only OPTIONS may be asked of \"*\".")
		}
		return nil
	}
	path, raw, err := canonicalPath(r)
	if err != nil {
		return err
	}
	rec.URL.Scheme, rec.URL.Host = "", ""
	canonical.Set(&rec.URL, path, raw)
	rec.Path, rec.RawPath = path, raw
	if raw == "" {
		rec.RawPath = path
	}
	return nil
}

func canonicalPath(r *http.Request) (path, raw string, err error) {
	target := r.RequestURI
	if target == "" { // made by a program, not read from a connection
		return canonical.Of(r.URL)
	}
	if strings.IndexByte(target, '#') >= 0 {
		return "", "", canonical.ErrRaw
	}
	if i := strings.IndexByte(target, '?'); i >= 0 {
		target = target[:i]
	}
	if target == "" || target[0] != '/' {
		if target, err = absolutePath(r.URL, target); err != nil {
			return "", "", err
		}
	}
	return canonical.Parse(target)
}

// absolutePath cuts the path out of an absolute target, "http://host/path".
func absolutePath(u *url.URL, target string) (string, error) {
	_, rest, ok := strings.Cut(target, "://")
	if !ok || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", bad("The target of the request is no path.")
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:], nil
	}
	return "/", nil
}

// setPeer finds out who is on the other side of the connection.
func (d *FrontDoor) setPeer(rec *request.Record) {
	r := &rec.Request
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		rec.Peer = plainAddr(ap.Addr())
		rec.PeerTrusted = d.trusts(rec.Peer)
	} else if onUnixSocket(r) {
		rec.PeerTrusted = d.trustUnix
	}
	rec.Client = rec.Peer
}

func onUnixSocket(r *http.Request) bool {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return a.Network() == "unix"
	}
	return r.RemoteAddr == "" || r.RemoteAddr[0] == '@' || r.RemoteAddr[0] == '/'
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func (d *FrontDoor) trusts(a netip.Addr) bool {
	for _, p := range d.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// setView fills in what client, scheme, host and prefix are: of the connection,
// or as a trusted peer says.
func (d *FrontDoor) setView(rec *request.Record) error {
	r := &rec.Request
	rec.Scheme = "http"
	if r.TLS != nil {
		rec.Scheme = "https"
	}
	hostErr := setHost(rec, r.Host)
	if rec.PeerTrusted {
		d.believe(rec)
	}
	r.Host = rec.HostPort
	return hostErr
}

// setHost takes host if it is valid.
func setHost(rec *request.Record, host string) error {
	if host == "" && !rec.Request.ProtoAtLeast(1, 1) {
		return nil
	}
	name, _, err := canonical.Host(host)
	if err == nil {
		rec.Host, rec.HostPort = name, host
	}
	return err
}
