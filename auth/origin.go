package auth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// CheckUpgradeOrigin refuses a request to switch protocols, such as a WebSocket
// handshake, that a page of another origin has made a browser send. A [Gate] asks
// it for every [Ambient] method: browsers add cookies, passwords and certificates
// to such handshakes, and no same-origin policy keeps the page from using the
// connection (RFC 6455, section 10.2).
//
// Other requests pass, and so do handshakes without an Origin, which no
// browser sends. An opaque origin ("null"), several of them, and one that
// differs in host, port or scheme are refused with 403; an https origin is
// taken for ours on a connection without TLS, too, since TLS may end in front.
func CheckUpgradeOrigin(r *http.Request) error {
	if !upgrades(r) {
		return nil
	}
	if err := sameOrigin(r); err != nil {
		return &request.Error{
			Status:  http.StatusForbidden,
			Message: "This connection was asked for by a page of another site.",
			Err:     err,
		}
	}
	return nil
}

// upgrades reports whether r asks for another protocol: in HTTP/2 and 3 with an
// extended CONNECT (RFC 8441).
func upgrades(r *http.Request) bool {
	return r.Header["Upgrade"] != nil || r.Method == http.MethodConnect
}

// sameOrigin reports as an error that a browser has sent r for a page of
// another origin. Requests that say nothing of where they come from are not
// from a browser, as far as unsafe methods and upgrades are concerned.
func sameOrigin(r *http.Request) error {
	switch site := r.Header["Sec-Fetch-Site"]; {
	case len(site) == 0:
	case len(site) > 1 || site[0] != "same-origin" && site[0] != "none":
		return fmt.Errorf("the field Sec-Fetch-Site is %q", site)
	}
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return nil
	}
	if len(origins) > 1 {
		return fmt.Errorf("there are %d origins", len(origins))
	}
	if origins[0] == "null" && r.Header["Sec-Fetch-Site"] != nil {
		return nil // a referrer policy hid it; the browser vouches for it
	}
	scheme, host := seenAs(r)
	u, err := url.Parse(origins[0])
	if err != nil || u.Host == "" {
		return fmt.Errorf("the origin is %q", origins[0])
	}
	if withPort(u.Scheme, u.Host) == withPort(scheme, host) && u.Scheme == scheme {
		return nil
	}
	// TLS may end at a proxy that we were not told to trust.
	if u.Scheme == "https" && scheme == "http" && withPort("https", u.Host) == withPort("https", host) {
		return nil
	}
	return fmt.Errorf("the origin %q is not %s://%s", origins[0], scheme, host)
}

// seenAs gives scheme and host, with its port, as the client sees them.
func seenAs(r *http.Request) (scheme, host string) {
	host = r.Host
	if rec := request.From(r.Context()); rec != nil {
		scheme = rec.Scheme
		if rec.HostPort != "" {
			host = rec.HostPort
		}
	}
	if scheme == "" {
		scheme = "http"
		if r.TLS != nil {
			scheme = "https"
		}
	}
	return scheme, host
}

// withPort gives host in lower case and with the port that it has if none is
// written.
func withPort(scheme, host string) string {
	host = strings.ToLower(host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && i > strings.LastIndexByte(host, ']') {
		return host
	}
	if scheme == "https" {
		return host + ":443"
	}
	return host + ":80"
}
