package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"path"

	"github.com/mountd/mountd/internal/request"
)

// The places of a certificate that may name its user.
const (
	CommonName = "cn"
	EmailName  = "san_email"
	DNSName    = "san_dns"
)

// CertConfig says how client certificates name users. The server must ask for
// them, and check them against its own authorities
// ([tls.VerifyClientCertIfGiven]). The zero value takes any that it has
// checked.
type CertConfig struct {
	// User is where the name stands: CommonName, EmailName or DNSName, of which
	// the first counts. Empty: CommonName.
	User string

	// Allow lists globs of names, as [path.Match] has them. Empty: all.
	Allow []string
}

// Cert is a [Method]: the client certificate of the connection. One that the
// server has not verified is none. It is safe for concurrent use.
type Cert struct {
	name  func(*x509.Certificate) string
	allow []string
}

// NewCert makes a Cert.
func NewCert(cfg CertConfig) (*Cert, error) {
	c := &Cert{allow: append([]string(nil), cfg.Allow...)}
	var errs []error
	switch cfg.User {
	case "", CommonName:
		c.name = func(cert *x509.Certificate) string { return cert.Subject.CommonName }
	case EmailName:
		c.name = func(cert *x509.Certificate) string { return first(cert.EmailAddresses) }
	case DNSName:
		c.name = func(cert *x509.Certificate) string { return first(cert.DNSNames) }
	default:
		errs = append(errs, &optionError{"user", fmt.Errorf("%q is not known (write cn, san_email or san_dns)", cfg.User)})
	}
	for i, glob := range c.allow {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			errs = append(errs, &optionError{fmt.Sprintf("allow[%d]", i), fmt.Errorf("%q is no glob (write joe, or *@example.com)", glob)})
		}
	}
	return c, errors.Join(errs...)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// Ambient says that browsers show certificates by themselves.
func (c *Cert) Ambient() bool { return true }

// Wrap puts a gate of this method alone before next.
func (c *Cert) Wrap(next http.Handler) http.Handler { return Wrap(c, next) }

// Challenge is empty: TLS has asked before.
func (c *Cert) Challenge(*http.Request) Challenge { return Challenge{} }

// Authenticate gives the user whom the connection's certificate names.
func (c *Cert) Authenticate(_ http.ResponseWriter, r *http.Request) (*User, error) {
	cert := verified(r.TLS)
	if cert == nil {
		return nil, nil
	}
	name := c.name(cert)
	if name == "" {
		return nil, &request.Error{Status: http.StatusUnauthorized, Err: errors.New("cert: the certificate names no user")}
	}
	if !c.allows(name) {
		return nil, &request.Error{Status: http.StatusUnauthorized, Err: fmt.Errorf("cert: %q is not allowed", name)}
	}
	return &User{Name: name, Email: sayable(first(cert.EmailAddresses)), Method: "cert"}, nil
}

func verified(state *tls.ConnectionState) *x509.Certificate {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0]
}

func (c *Cert) allows(name string) bool {
	for _, glob := range c.allow {
		if ok, _ := path.Match(glob, name); ok {
			return true
		}
	}
	return len(c.allow) == 0
}
