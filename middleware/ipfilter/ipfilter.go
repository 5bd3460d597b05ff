// Package ipfilter lets requests in by the address of their client.
//
// The most specific entry that holds the address decides; an address that
// stands in both lists equally is refused. An address that no entry holds is
// let in if only Deny is set, and refused if Allow is. Clients whose address
// is unknown, as on a unix socket, are refused where Allow is set, unless it
// holds "unix".
//
// IPv4-mapped IPv6 addresses (::ffff:10.0.0.1) count as IPv4, in requests and
// in lists, and zones (fe80::1%eth0) do not count at all. The client is the
// one that trusted proxies tell, not merely the other end of the connection;
// in programs without mountd's front door it is the request's RemoteAddr.
package ipfilter

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/mountd/mountd/internal/request"
)

// Config says who is let in. One of the lists must be set. New copies what it
// holds.
//
// An entry is an address ("10.1.2.3", "2001:db8::1"), a network
// ("10.0.0.0/8"), "private" (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16,
// fc00::/7), "loopback" (127.0.0.0/8, ::1) or "unix" (clients without an
// address).
type Config struct {
	Allow []string
	Deny  []string

	// ErrorFunc answers requests that are refused, with 403. Nil means the
	// errors layer around this one, or plain text without one.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Middleware lets requests in by address. It is safe for concurrent use.
type Middleware struct {
	rules    map[netip.Prefix]bool // true: let in
	v4, v6   []int                 // lengths of prefixes, longest first
	fallback bool                  // for addresses that no rule holds
	unix     bool                  // for clients without an address
	fail     func(w http.ResponseWriter, r *http.Request, err error)
}

// New makes a Middleware. Its error names every malformed entry.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{rules: make(map[netip.Prefix]bool), fail: cfg.ErrorFunc}
	if m.fail == nil {
		m.fail = request.Fail
	}
	if len(cfg.Allow) == 0 && len(cfg.Deny) == 0 {
		return nil, errors.New("neither allow nor deny is set (write allow: [private])")
	}
	m.fallback = len(cfg.Allow) == 0
	m.unix = m.fallback
	errs := m.add("allow", cfg.Allow, true)
	errs = append(errs, m.add("deny", cfg.Deny, false)...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for p := range m.rules {
		m.note(p)
	}
	return m, nil
}

// add adds the rules of a list. Those of deny come last, and win.
func (m *Middleware) add(option string, list []string, allow bool) (errs []error) {
	for i, s := range list {
		if s == "unix" {
			m.unix = allow
			continue
		}
		prefixes, err := parse(s)
		if err != nil {
			errs = append(errs, optionError{fmt.Sprintf("%s[%d]", option, i), err})
		}
		for _, p := range prefixes {
			m.rules[p] = allow
		}
	}
	return errs
}

// note keeps the length of p in a sorted list.
func (m *Middleware) note(p netip.Prefix) {
	lengths := &m.v6
	if p.Addr().Is4() {
		lengths = &m.v4
	}
	i, found := slices.BinarySearchFunc(*lengths, p.Bits(), func(a, b int) int { return b - a })
	if !found {
		*lengths = slices.Insert(*lengths, i, p.Bits())
	}
}

func parse(s string) ([]netip.Prefix, error) {
	switch s {
	case "private":
		return prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"), nil
	case "loopback":
		return prefixes("127.0.0.0/8", "::1/128"), nil
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap()
		if addr.Zone() != "" {
			return nil, fmt.Errorf("%q has a zone, which no client is known by (leave it out)", s)
		}
		return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, fmt.Errorf("%q is no address (write 10.1.2.3, 10.0.0.0/8, private, loopback or unix)", s)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return nil, fmt.Errorf("%q holds more than IPv4-mapped addresses (write the IPv4 network)", s)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return nil, fmt.Errorf("%q has bits beyond its length (write %q or %q)", s, p.Masked(), p.Addr())
	}
	return []netip.Prefix{p}, nil
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Allowed reports whether a client with this address is let in. The zero Addr
// stands for one without an address.
func (m *Middleware) Allowed(client netip.Addr) bool {
	if !client.IsValid() {
		return m.unix
	}
	client = client.Unmap().WithZone("")
	lengths := m.v6
	if client.Is4() {
		lengths = m.v4
	}
	for _, bits := range lengths {
		p, err := client.Prefix(bits)
		if err != nil {
			return false
		}
		if allow, ok := m.rules[p]; ok {
			return allow
		}
	}
	return m.fallback
}

// Wrap hands the requests of clients that are let in on to next.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := clientOf(r)
		if !m.Allowed(client) {
			m.fail(w, r, &request.Error{
				Status:  http.StatusForbidden,
				Message: "Requests from this address are not accepted.",
				Err:     fmt.Errorf("client %v is not allowed", client),
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func clientOf(r *http.Request) netip.Addr {
	if rec := request.From(r.Context()); rec != nil {
		return rec.Client
	}
	ap, _ := netip.ParseAddrPort(r.RemoteAddr)
	return ap.Addr()
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
