package cli

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/internal/control"
	"github.com/mountd/mountd/internal/frontdoor"
	"github.com/mountd/mountd/internal/mountfile"
	"github.com/mountd/mountd/internal/server"
)

// setting gives the place of a top-level key, or of the table where it is not
// written.
func setting(table *mountfile.Table, path string) *mountfile.Node {
	if table.Root == nil {
		return mountfile.NewScalar(cmp.Or(table.Path, commandLine), "")
	}
	return table.Root.At(path)
}

// laterSettings are the settings that [unsupported] refuses whatever they are.
var laterSettings = []string{"tls.acme", "http.http3", "proxy_protocol", "user", "admin"}

// unsupported reports the settings that the grammar knows and this version
// does not carry out: none is ignored in silence.
func unsupported(table *mountfile.Table) mountfile.Errors {
	s := table.Settings
	var errs mountfile.Errors
	refuse := func(on bool, path, hint string) {
		if on {
			errs = append(errs, setting(table, path).Errorf("%s is not part of this version", path).WithHint(hint))
		}
	}
	refuse(s.TLS != nil && s.TLS.ACME != nil, "tls.acme", "write cert and key, or self_signed: true")
	refuse(s.HTTP.HTTP3, "http.http3", "leave it out")
	refuse(s.ProxyProtocol, "proxy_protocol", "leave it out; forwarding headers of trusted_proxies are believed")
	refuse(s.User != "", "user", "start mountd as that user")
	refuse(s.Admin != nil, "admin", "leave it out")
	for _, d := range table.Processes {
		errs = append(errs, d.Key.Errorf("processes are not part of this version").WithHint("run it beside mountd"))
	}
	return errs
}

type makeFront = func(identity []string, refused func(http.ResponseWriter, *http.Request, error), next http.Handler) (http.Handler, error)

// front makes what stands around the whole site.
func front(table *mountfile.Table) (makeFront, error) {
	cfg := frontdoor.Config{AllowHeaders: table.Settings.HTTP.AllowHeaders}
	errs := unsupported(table)
	for i, text := range table.Settings.TrustedProxies {
		at := setting(table, fmt.Sprintf("trusted_proxies[%d]", i))
		switch text {
		case "unix":
			cfg.TrustUnix = true
			continue
		case "private":
			cfg.TrustedProxies = append(cfg.TrustedProxies, privateNetworks()...)
			continue
		}
		prefix, err := parsePrefix(text)
		if err != nil {
			errs = append(errs, at.Errorf("%q is not an address", text).WithHint(`write 10.0.0.7, 10.0.0.0/8, "private" or "unix"`))
			continue
		}
		if prefix.Bits() == 0 {
			errs = append(errs, at.Errorf("%s would let every client say who it is", text).WithHint("name the proxies in front of mountd"))
			continue
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, prefix)
	}
	probe := cfg
	probe.Next = http.NotFoundHandler()
	if _, err := frontdoor.New(probe); err != nil {
		errs = append(errs, setting(table, "").Locate(err)...)
		cfg.AllowHeaders = nil
	}
	return func(identity []string, refused func(http.ResponseWriter, *http.Request, error), next http.Handler) (http.Handler, error) {
		cfg := cfg
		cfg.IdentityHeaders, cfg.ErrorFunc, cfg.Next = identity, refused, next
		return frontdoor.New(cfg)
	}, errs.Err()
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		return p.Masked(), err
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// privateNetworks are those of RFC 1918 and RFC 4193, and this machine.
func privateNetworks() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128"} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// serverConfig turns the settings into those of the server.
func serverConfig(table *mountfile.Table) (server.Config, error) {
	s := table.Settings
	cfg := server.Config{
		NetHTTP: os.Getenv("MOUNTD_HTTP1") == "net/http", // to compare with
		Grace:   none(s.Grace),
		HTTP: server.Limits{
			HeaderTimeout:   none(s.HTTP.HeaderTimeout),
			IdleTimeout:     none(s.HTTP.IdleTimeout),
			BodyTimeout:     none(s.HTTP.BodyTimeout),
			WriteTimeout:    none(s.HTTP.WriteTimeout),
			MaxHeader:       int(s.HTTP.MaxHeader),
			RedirectToHTTPS: s.HTTP.RedirectToHTTPS,
		},
	}
	var errs mountfile.Errors
	for i, l := range s.Listen {
		if l.String() == "" {
			continue // reported as it was read
		}
		a, err := server.ParseAddress(l.String())
		if err != nil {
			at := setting(table, "listen")
			if at.Kind() == mountfile.List {
				at = at.List()[i]
			}
			errs = append(errs, at.Errorf("%v", err))
			continue
		}
		if j := slices.IndexFunc(s.Listen[:i], func(o mountfile.Listener) bool { return o.String() == l.String() }); j >= 0 && !strings.HasSuffix(l.Address, ":0") {
			at := setting(table, "listen")
			errs = append(errs, at.At(fmt.Sprintf("[%d]", i)).Errorf("%s is listed twice", l).WithHint("keep one of the two"))
			continue
		}
		a.Mode, a.Owner = fs.FileMode(l.Mode), l.Owner
		cfg.Listen = append(cfg.Listen, a)
	}
	if t := s.TLS; t != nil {
		cfg.TLS = &server.TLS{SelfSigned: t.SelfSigned, ClientCAFile: string(t.ClientCA)}
		for _, c := range t.Certificates() {
			cfg.TLS.Certificates = append(cfg.TLS.Certificates, server.KeyPair{CertFile: string(c.Cert), KeyFile: string(c.Key)})
		}
		errs = append(errs, checkTLS(table, cfg.TLS)...)
	}
	if c := s.Control; c != "auto" && c != "off" && c != "" {
		if err := control.Check(string(c)); err != nil {
			errs = append(errs, notThere(table, err))
		}
	}
	if err := builtin.Writable(string(s.Log.File)); err != nil {
		errs = append(errs, setting(table, "log.file").Locate(err)...)
	}
	return cfg, errs.Err()
}

// checkTLS reads every file that TLS needs, as the server will.
func checkTLS(table *mountfile.Table, t *server.TLS) (errs mountfile.Errors) {
	for i, pair := range t.Certificates {
		if pair.CertFile == "" || pair.KeyFile == "" {
			continue // reported as it was read
		}
		if err := pair.Check(); err != nil {
			errs = append(errs, setting(table, "tls.cert").At(fmt.Sprintf("[%d]", i)).Locate(err)...)
		}
	}
	if t.ClientCAFile == "" {
		return errs
	}
	return append(errs, setting(table, "tls.client_ca").Locate(server.CheckAuthorities(t.ClientCAFile))...)
}

// none turns the table's 0, no limit, into the server's negative one.
func none[T ~int64](v T) T {
	if v == 0 {
		return -1
	}
	return v
}
