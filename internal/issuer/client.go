package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// MaxAnswer bounds what is read of an issuer's answers, in bytes.
const MaxAnswer = 1 << 20

// A Client asks issuers. It follows redirects of GET requests within one host,
// and never from https to http. It is safe for concurrent use.
type Client struct{ HTTP *http.Client }

// NewClient makes a Client; nil stands for a transport of its own.
func NewClient(transport http.RoundTripper) *Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: LoadTimeout}).DialContext,
			TLSHandshakeTimeout:    LoadTimeout,
			ResponseHeaderTimeout:  LoadTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    8,
			MaxConnsPerHost:        32,
			IdleConnTimeout:        30 * time.Second,
		}
	}
	return &Client{&http.Client{
		Transport:     bounded{transport},
		CheckRedirect: checkRedirect,
		Timeout:       LoadTimeout,
	}}
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Method != http.MethodGet:
		return http.ErrUseLastResponse
	case len(via) > 3:
		return errors.New("more than 3 redirects")
	case r.URL.Host != first.URL.Host || r.URL.Scheme != first.URL.Scheme:
		return errors.New("a redirect to another host")
	}
	return nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.HTTP.CloseIdleConnections() }

// Get gives what is at an address; anything but 200 is an error.
func (c *Client) Get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	return c.Do(r)
}

// Do gives the body of the answer to r; anything but 200 is an error.
func (c *Client) Do(r *http.Request) ([]byte, error) {
	res, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Redacted(), err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, &StatusError{Status: res.StatusCode, Body: body, Where: r.Method + " " + r.URL.Redacted()}
	}
	return body, nil
}

// A StatusError is an answer that is not 200.
type StatusError struct {
	Status int
	Body   []byte
	Where  string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s: status %d", e.Where, e.Status) }

// bounded cuts answers that are too large.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = &boundedBody{res.Body, MaxAnswer}
	}
	return res, err
}

// CloseIdleConnections is for [http.Client].
func (b bounded) CloseIdleConnections() {
	if c, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, fmt.Errorf("the answer is larger than %d bytes", MaxAnswer)
	}
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= n
	if b.left < 0 {
		return n - 1, fmt.Errorf("the answer is larger than %d bytes", MaxAnswer)
	}
	return n, err
}

// CheckURL refuses addresses that are not https; http goes to this machine
// alone, unless it is allowed.
func CheckURL(address string, allowHTTP bool) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q is no address (write https://…)", address)
	}
	if u.Scheme == "http" && !allowHTTP && !isLoopback(u.Hostname()) {
		return fmt.Errorf("%q: whoever is on the way could forge what is there (write https://…, or insecure_http: true)", address)
	}
	return nil
}

func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
