package auth_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/auth"
)

func TestCertificates(t *testing.T) {
	joe := &x509.Certificate{Subject: pkix.Name{CommonName: "joe"}, EmailAddresses: []string{"joe@example.com"}, DNSNames: []string{"joe.example.com"}}
	state := func(c *x509.Certificate) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}, VerifiedChains: [][]*x509.Certificate{{c}}}
	}
	for _, c := range []struct {
		name string
		cfg  auth.CertConfig
		tls  *tls.ConnectionState
		want string
	}{
		{"no TLS", auth.CertConfig{}, nil, ""},
		{"no certificate", auth.CertConfig{}, &tls.ConnectionState{}, ""},
		{"one that was not verified", auth.CertConfig{}, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{joe}}, ""},
		{"the common name", auth.CertConfig{}, state(joe), "joe"},
		{"the address", auth.CertConfig{User: auth.EmailName}, state(joe), "joe@example.com"},
		{"the host", auth.CertConfig{User: auth.DNSName}, state(joe), "joe.example.com"},
		{"no such name", auth.CertConfig{User: auth.DNSName}, state(&x509.Certificate{Subject: pkix.Name{CommonName: "joe"}}), ""},
		{"allowed", auth.CertConfig{User: auth.EmailName, Allow: []string{"ann", "*@example.com"}}, state(joe), "joe@example.com"},
		{"not allowed", auth.CertConfig{Allow: []string{"ann", "jo"}}, state(joe), ""},
		{"a name with a line break", auth.CertConfig{}, state(&x509.Certificate{Subject: pkix.Name{CommonName: "a\r\nb"}}), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := auth.NewCert(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.TLS = c.tls
			w := httptest.NewRecorder()
			m.Wrap(name).ServeHTTP(w, r)
			if c.want == "" && w.Code != 401 || c.want != "" && w.Body.String() != c.want {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
	}
	for _, cfg := range []auth.CertConfig{{User: "ou"}, {Allow: []string{"[a"}}, {Allow: []string{""}}} {
		if _, err := auth.NewCert(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}
