package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// certs keeps the certificates of a server and follows their files.
type certs struct {
	conf    TLS
	log     *slog.Logger
	pairs   []*watched[tls.Certificate]
	ca      *watched[x509.CertPool] // nil: clients are not asked
	self    *tls.Certificate        // nil: not wanted
	current atomic.Pointer[tls.Config]
}

func newCerts(conf TLS, log *slog.Logger) (*certs, error) {
	c := &certs{conf: conf, log: log}
	var errs []error
	for _, pair := range conf.Certificates {
		w := &watched[tls.Certificate]{
			what:  "certificate",
			files: []string{pair.CertFile, pair.KeyFile},
			load:  func() (*tls.Certificate, error) { return loadPair(pair) },
			keep:  notExpired,
		}
		errs = append(errs, w.first())
		c.pairs = append(c.pairs, w)
	}
	if conf.ClientCAFile != "" {
		c.ca = &watched[x509.CertPool]{
			what:  "client authorities",
			files: []string{conf.ClientCAFile},
			load:  func() (*x509.CertPool, error) { return loadPool(conf.ClientCAFile) },
		}
		errs = append(errs, c.ca.first())
	}
	if conf.SelfSigned {
		errs = append(errs, c.renewSelfSigned(time.Now()))
	}
	if len(conf.Certificates) == 0 && !conf.SelfSigned && conf.GetCertificate == nil {
		errs = append(errs, errors.New("tls without a certificate: name cert and key, or write self_signed: true"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c.warnExpired(time.Now())
	c.publish()
	return c, nil
}

// watch polls the files until stop is closed. Polling sees every way in which
// files are replaced, be it a rename, a symlink or a bind mount.
func (c *certs) watch(stop <-chan struct{}) {
	every := c.conf.Poll
	if every <= 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			c.refresh(now)
		}
	}
}

func (c *certs) refresh(now time.Time) {
	changed := false
	for _, w := range c.pairs {
		changed = w.refresh(c.log) || changed
	}
	if c.ca != nil {
		changed = c.ca.refresh(c.log) || changed
	}
	if c.self != nil && now.After(c.self.Leaf.NotAfter.Add(-selfSignedRenewal)) {
		if err := c.renewSelfSigned(now); err != nil {
			c.log.Error("self-signed certificate not renewed", "error", err)
		}
		changed = true
	}
	if changed {
		c.publish()
	}
}

// publish makes what was loaded the configuration of the next handshakes.
func (c *certs) publish() {
	choose := newChoice(c.conf.GetCertificate)
	for _, w := range c.pairs {
		choose.add(w.value)
	}
	if c.self != nil {
		choose.add(c.self)
	}
	conf := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     append([]string{"h2", "http/1.1"}, c.conf.Protocols...),
		GetCertificate: choose.certificate,
	}
	if c.ca != nil {
		conf.ClientAuth = tls.VerifyClientCertIfGiven
		conf.ClientCAs = c.ca.value
	}
	c.current.Store(conf)
}

func (c *certs) warnExpired(now time.Time) {
	for _, w := range c.pairs {
		if now.After(w.value.Leaf.NotAfter) {
			c.log.Warn("certificate has expired", "file", w.files[0], "expired", w.value.Leaf.NotAfter)
		}
	}
}

// Check reads the pair as a server does.
func (p KeyPair) Check() error {
	_, err := loadPair(p)
	return err
}

// CheckAuthorities reads a file of client authorities as a server does.
func CheckAuthorities(file string) error {
	_, err := loadPool(file)
	return err
}

func loadPair(pair KeyPair) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", pair.CertFile, pair.KeyFile, err)
	}
	return &cert, nil
}

// notExpired refuses to replace a certificate that is valid by one that no
// longer is.
func notExpired(old, next *tls.Certificate) error {
	if now := time.Now(); now.After(next.Leaf.NotAfter) && now.Before(old.Leaf.NotAfter) {
		return fmt.Errorf("expired on %s", next.Leaf.NotAfter.Format(time.DateOnly))
	}
	return nil
}

func loadPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read client authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read client authorities: no certificate in %s", file)
	}
	return pool, nil
}

// choice finds the certificate for a name.
type choice struct {
	byName map[string][]*tls.Certificate
	first  *tls.Certificate
	other  func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

func newChoice(other func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *choice {
	return &choice{byName: map[string][]*tls.Certificate{}, other: other}
}

func (c *choice) add(cert *tls.Certificate) {
	if c.first == nil {
		c.first = cert
	}
	for _, name := range cert.Leaf.DNSNames {
		name = strings.ToLower(name)
		c.byName[name] = append(c.byName[name], cert)
	}
}

func (c *choice) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	found := c.byName[name]
	if _, parent, ok := strings.Cut(name, "."); ok && len(found) == 0 {
		found = c.byName["*."+parent]
	}
	for _, cert := range found {
		if hello.SupportsCertificate(cert) == nil {
			return cert, nil
		}
	}
	if len(found) > 0 {
		return found[0], nil
	}
	if c.other != nil {
		if cert, err := c.other(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	if c.first == nil {
		return nil, fmt.Errorf("no certificate for %q", name)
	}
	return c.first, nil
}
