package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// parseForwardTarget gives the address to ask, and the unix socket to ask at,
// if it is one.
func parseForwardTarget(to string) (u *url.URL, socket string, err error) {
	const forms = "write http://host:port/path, https://host/path or unix:/path/to/socket"
	if to == "" {
		return nil, "", errors.New("the service to ask is missing (" + forms + ")")
	}
	text := to
	if rest, ok := strings.CutPrefix(to, "unix:"); ok {
		rest = "/" + strings.TrimLeft(rest, "/")
		path := "/"
		if i := strings.Index(rest, ":/"); i > 0 {
			rest, path = rest[:i], rest[i+1:]
		}
		if rest == "/" {
			return nil, "", fmt.Errorf("%q names no socket (%s)", to, forms)
		}
		socket, text = rest, "http://localhost"+path
	}
	u, err = url.Parse(text)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("%q is no address (%s)", to, forms)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, "", fmt.Errorf("%q is no address of a service (%s)", to, forms)
	case u.User != nil:
		return nil, "", fmt.Errorf("the address of %q holds a password (leave it out)", u.Host)
	case u.Fragment != "":
		return nil, "", fmt.Errorf("%q has a fragment, which is never sent", to)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, socket, nil
}

func newForwardTransport(socket string, config *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        55 * time.Second, // services often close after 60 s
		MaxConnsPerHost:        maxForwardConns,
		MaxIdleConns:           maxForwardConns,
		MaxIdleConnsPerHost:    maxForwardConns,
		MaxResponseHeaderBytes: maxForwardHeader,
		TLSHandshakeTimeout:    5 * time.Second,
	}
	if config != nil {
		t.TLSClientConfig = config.Clone()
	}
	if socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}

// setPass checks the names of the fields that the service gets.
func (f *Forward) setPass() error {
	if len(f.cfg.RequestHeaders) == 0 {
		return nil
	}
	f.pass = map[string]bool{}
	var errs []error
	for i, name := range f.cfg.RequestHeaders {
		name = http.CanonicalHeaderKey(name)
		if !plainField(name) || isHop(name) || isOfBody(name) || isForwarding(name) || name == "Host" || f.ours(name) {
			errs = append(errs, &optionError{fmt.Sprintf("request_headers[%d]", i), fmt.Errorf("%q cannot be handed on to the service (leave it out)", f.cfg.RequestHeaders[i])})
		}
		f.pass[name] = true
	}
	return errors.Join(errs...)
}

// question makes what the service is asked about r.
func (f *Forward) question(ctx context.Context, r *http.Request) (*http.Request, error) {
	if r.Method == http.MethodConnect {
		return nil, &request.Error{Status: http.StatusMethodNotAllowed}
	}
	path, query, err := askedFor(r)
	if err != nil {
		return nil, err
	}
	h := make(http.Header, len(r.Header)+8)
	for name, values := range r.Header {
		if f.asks(name) {
			h[name] = values
		}
	}
	// What the client has listed in Connection was for us alone.
	for _, line := range r.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(h, http.CanonicalHeaderKey(strings.Trim(name, " \t")))
		}
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{""} // none, rather than that of net/http
	}
	uri := path
	if query != "" {
		uri += "?" + query
	}
	scheme, host := seenAs(r)
	h["X-Forwarded-Method"] = []string{r.Method}
	h["X-Forwarded-Proto"] = []string{scheme}
	h["X-Forwarded-Host"] = []string{host}
	h["X-Forwarded-Uri"] = []string{uri}
	h["X-Original-Method"] = []string{r.Method}
	h["X-Original-Url"] = []string{scheme + "://" + host + uri}
	addForwardedFor(h, r)
	return (&http.Request{Method: http.MethodGet, URL: f.url, Host: f.url.Host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx), nil
}

// asks reports whether the service gets a field of the request.
func (f *Forward) asks(name string) bool {
	if f.pass != nil {
		return f.pass[name]
	}
	return plainField(name) && !isHop(name) && !isOfBody(name) && !isForwarding(name) && !f.ours(name) &&
		!strings.HasPrefix(name, "Sec-Websocket-") && !strings.HasPrefix(name, "If-")
}

// ours reports the fields that only the service may write. Authorization is the
// client's own, too: the service may put another one in its place.
func (f *Forward) ours(name string) bool { return f.secret[name] && name != "Authorization" }

// addForwardedFor says who asks: what trusted proxies told, and who they are.
func addForwardedFor(h http.Header, r *http.Request) {
	var chain []string
	var client, peer netip.Addr
	if rec := request.From(r.Context()); rec != nil {
		client, peer = rec.Client, rec.Peer
		if rec.PeerTrusted {
			chain = slices.Clone(r.Header["X-Forwarded-For"])
		}
	} else if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		peer = ap.Addr().Unmap().WithZone("")
		client = peer
	}
	if peer.IsValid() {
		chain = append(chain, peer.String())
	}
	if chain != nil {
		h["X-Forwarded-For"] = []string{strings.Join(chain, ", ")}
	}
	if client.IsValid() {
		h["X-Real-Ip"] = []string{client.String()}
	}
}

// plainField reports whether name is one that no environment takes for another.
func plainField(name string) bool {
	if name == "" || name != http.CanonicalHeaderKey(name) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c != '-' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// isHop reports the fields that are about a connection (RFC 9110, section
// 7.6.1).
func isHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings":
		return true
	}
	return false
}

func isOfBody(name string) bool {
	switch name {
	case "Expect", "Range", "Digest":
		return true
	}
	return strings.HasPrefix(name, "Content-")
}

// isForwarding reports the fields that say what was asked for, and by whom.
func isForwarding(name string) bool {
	switch name {
	case "Forwarded", "X-Real-Ip", "X-Rewrite-Url":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Original-")
}

// removeHop removes the fields of an answer that are about its connection.
func removeHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(h, http.CanonicalHeaderKey(strings.Trim(name, " \t")))
		}
	}
	for name := range h {
		if isHop(name) {
			delete(h, name)
		}
	}
}
