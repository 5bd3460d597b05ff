package e2e_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, next: 1}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pem() string { return encoded("CERTIFICATE", a.cert.Raw) }

func encoded(kind string, der []byte) string {
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: der})
	return b.String()
}

// issue makes a certificate with its key, in PEM.
func (a *authority) issue(template x509.Certificate) (cert, key string) {
	a.t.Helper()
	a.next++
	template.SerialNumber = big.NewInt(a.next)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.NotBefore = template.NotAfter.Add(-2 * time.Hour)
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, &secret.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		a.t.Fatal(err)
	}
	return encoded("CERTIFICATE", der), encoded("PRIVATE KEY", private)
}

func (a *authority) client(name string, ends time.Time) tls.Certificate {
	a.t.Helper()
	cert, err := tls.X509KeyPair(pemPair(a.issue(x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: ends, EmailAddresses: []string{name + "@example.com"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})))
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func pemPair(cert, key string) ([]byte, []byte) { return []byte(cert), []byte(key) }

func TestClientCertificates(t *testing.T) {
	o := listen(t, hello)
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	cert, key := ours.issue(x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	d := start(t, `
tls: {cert: cert.pem, key: key.pem, client_ca: ca.pem}
mounts:
  /cn: {proxy: `+o.url()+`, rebase: off, use: [default, auth.cert]}
  /mail: {proxy: `+o.url()+`, rebase: off, use: [default, {auth.cert: {user: san_email, allow: ["joe@*"]}}]}
  /maybe: {proxy: `+o.url()+`, rebase: off, use: [default, {auth.cert: {optional: true}}]}
  /open: {proxy: `+o.url()+`, rebase: off}
`, "cert.pem", cert, "key.pem", key, "ca.pem", ours.pem())
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	visit := func(path string, certs ...tls.Certificate) (status int, body string, err error) {
		// The handshake's certificate goes out whether the server's list of
		// authorities has its issuer or not.
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(certs) == 0 {
				return new(tls.Certificate), nil
			}
			return &certs[0], nil
		}}}
		defer tr.CloseIdleConnections()
		r, _ := http.NewRequest(http.MethodGet, "https://"+d.addr+path, nil)
		r.Header.Set("Remote-User", "root")
		resp, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Do(r)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), nil
	}
	joe, ann := ours.client("joe", time.Time{}), ours.client("ann", time.Time{})
	for _, c := range []struct {
		path   string
		certs  []tls.Certificate
		status int
		body   string
	}{
		{"/cn/x", []tls.Certificate{joe}, 200, "Hello joe"},
		{"/cn/x", nil, 401, ""},
		{"/mail/x", []tls.Certificate{joe}, 200, "Hello joe@example.com"},
		{"/mail/x", []tls.Certificate{ann}, 401, ""},
		{"/maybe/x", nil, 200, "Hello "},
		{"/maybe/x", []tls.Certificate{ann}, 200, "Hello ann"},
		{"/open/x", []tls.Certificate{ann}, 200, "Hello "},
	} {
		status, body, err := visit(c.path, c.certs...)
		if err != nil || status != c.status || c.body != "" && body != c.body {
			t.Errorf("%s: %d %q %v", c.path, status, body, err)
		}
	}
	// What the authority has not signed, or no longer vouches for, is none.
	for name, cert := range map[string]tls.Certificate{"another authority's": others.client("joe", time.Time{}), "an expired one": ours.client("joe", time.Now().Add(-time.Minute))} {
		for _, path := range []string{"/cn/x", "/maybe/x"} {
			o.reset()
			if status, body, err := visit(path, cert); err == nil && status == 200 {
				t.Errorf("%s, %s: %d %q", name, path, status, body)
			}
			if o.count() != 0 {
				t.Errorf("%s, %s: it reached the application", name, path)
			}
		}
	}
}
