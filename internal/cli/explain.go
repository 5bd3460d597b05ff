package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mountd/mountd/internal/assemble"
)

func (p *Program) explain(ctx context.Context, args []string) error {
	f := p.flags("explain")
	file := f.String("c", "", "")
	f.StringVar(file, "config", "", "")
	method := f.String("X", http.MethodGet, "")
	client := f.String("client", "127.0.0.1", "")
	asJSON := f.Bool("json", false, "")
	var headers headerFlags
	f.Var(&headers, "H", "")
	rest, err := p.parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return &usageError{"explain needs a URL", "write http://localhost/app/page, or /app/page"}
	}
	target, mounts := rest[len(rest)-1], rest[:len(rest)-1]
	src, err := p.source(*file, mounts)
	if err != nil {
		return err
	}
	from, err := netip.ParseAddr(*client)
	if err != nil {
		return &usageError{fmt.Sprintf("client %q is not an address", *client), "write 192.0.2.7"}
	}
	r, err := probe(ctx, *method, target, headers, from)
	if err != nil {
		return err
	}
	ws := p.workshop(src)
	ws.silent = true
	t := &tracer{entered: map[string]bool{}, answered: map[string]bool{}}
	_, site, err := ws.build(slog.New(slog.DiscardHandler), nil, func(cfg *assemble.Config) {
		cfg.Observe, cfg.App = t.observe, t.app
	})
	if err != nil {
		return err
	}
	defer site.Abort()
	e := t.run(site, r)
	if *asJSON {
		enc := json.NewEncoder(p.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(e)
	}
	e.print(p.Stdout)
	return nil
}

// headerFlags collects -H 'Name: value'.
type headerFlags []string

func (h *headerFlags) String() string { return strings.Join(*h, ", ") }

// Set adds one.
func (h *headerFlags) Set(s string) error {
	if name, _, ok := strings.Cut(s, ":"); !ok || strings.TrimSpace(name) == "" {
		return fmt.Errorf("%q is not of the form 'Name: value'", s)
	}
	*h = append(*h, s)
	return nil
}

// probe makes the request that is explained.
func probe(ctx context.Context, method, target string, headers []string, from netip.Addr) (*http.Request, error) {
	full := target
	if strings.HasPrefix(target, "/") {
		full = "http://localhost" + target
	}
	scheme, rest, ok := strings.Cut(full, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return nil, &usageError{fmt.Sprintf("%q is not a URL", target), "write http://localhost/app/page, or /app/page"}
	}
	host, path := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
		if path[0] == '?' {
			path = "/" + path
		}
	}
	path, _, _ = strings.Cut(path, "#")
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("%q is not a URL", target), err.Error()}
	}
	r := &http.Request{
		Method: method, URL: u, Host: host, RequestURI: path, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, RemoteAddr: netip.AddrPortFrom(from, 40000).String(),
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		value = strings.TrimSpace(value)
		if strings.EqualFold(strings.TrimSpace(name), "host") {
			r.Host = value
			continue
		}
		r.Header.Add(strings.TrimSpace(name), value)
	}
	if scheme == "https" {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, ServerName: host}
	}
	return r.WithContext(ctx), nil
}
