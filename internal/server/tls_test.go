package server_test

import (
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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

// pair is a certificate on disk.
type pair struct {
	server.KeyPair
	cert, key []byte
	leaf      *x509.Certificate
	signer    *ecdsa.PrivateKey
}

func makePair(t testing.TB, name string, life time.Duration, names ...string) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: names,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(life),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	secret, _ := x509.MarshalPKCS8PrivateKey(key)
	return &pair{
		cert:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
		leaf:   leaf,
		signer: key,
	}
}

func (p *pair) at(t testing.TB, dir string) *pair {
	t.Helper()
	p.CertFile = filepath.Join(dir, p.leaf.Subject.CommonName+".pem")
	p.KeyFile = filepath.Join(dir, p.leaf.Subject.CommonName+"-key.pem")
	writeFile(t, p.CertFile, p.cert)
	writeFile(t, p.KeyFile, p.key)
	return p
}

// shown is the certificate that the server shows for a name.
func (r *running) shown(name string) *x509.Certificate {
	r.t.Helper()
	c, err := tls.Dial("tcp", r.hostport(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

const year = 365 * 24 * time.Hour

func TestCertificatesAreChosenByName(t *testing.T) {
	dir := t.TempDir()
	a := makePair(t, "a", year, "a.example", "www.a.example").at(t, dir)
	b := makePair(t, "b", year, "*.b.example").at(t, dir)
	r := serve(t, server.Config{TLS: &server.TLS{Certificates: []server.KeyPair{a.KeyPair, b.KeyPair}}})
	for name, want := range map[string]*pair{
		"a.example": a, "WWW.a.example": a, "x.b.example": b, "x.y.b.example": a, "other.example": a, "": a,
	} {
		if got := r.shown(name); !got.Equal(want.leaf) {
			t.Errorf("%q got %s", name, got.Subject.CommonName)
		}
	}
}

func TestGetCertificateIsAskedForOtherNames(t *testing.T) {
	dir := t.TempDir()
	a := makePair(t, "a", year, "a.example").at(t, dir)
	b := makePair(t, "b", year, "b.example")
	other, _ := tls.X509KeyPair(b.cert, b.key)
	r := serve(t, server.Config{TLS: &server.TLS{
		Certificates: []server.KeyPair{a.KeyPair},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName == "b.example" {
				return &other, nil
			}
			return nil, nil
		},
	}})
	for name, want := range map[string]*pair{"a.example": a, "b.example": b, "c.example": a} {
		if got := r.shown(name); !got.Equal(want.leaf) {
			t.Errorf("%q got %s", name, got.Subject.CommonName)
		}
	}
}

func TestReplacedCertificatesAreUsed(t *testing.T) {
	dir := t.TempDir()
	p := makePair(t, "a", year, "a.example").at(t, dir)
	log := new(records)
	r := serve(t, server.Config{Logger: log.logger(), TLS: &server.TLS{Certificates: []server.KeyPair{p.KeyPair}, Poll: 2 * time.Millisecond}})
	shows := func(want *x509.Certificate) func() bool {
		return func() bool { return r.shown("a.example").Equal(want) }
	}
	stays := func(what string) {
		t.Helper()
		until(t, "a line about "+what, func() bool { return strings.Contains(log.String(), what) })
		if !shows(p.leaf)() {
			t.Errorf("%s: the old certificate is gone", what)
		}
	}

	writeFile(t, p.CertFile, []byte("garbage"))
	stays("failed to find any PEM data")
	next := makePair(t, "a", year, "a.example")
	writeFile(t, p.CertFile, next.cert) // its key comes later
	stays("private key does not match")
	expired := makePair(t, "a", -time.Hour, "a.example")
	writeFile(t, p.KeyFile, expired.key)
	writeFile(t, p.CertFile, expired.cert)
	stays("expired on")
	_ = os.Remove(p.CertFile)
	stays("no such file")

	writeFile(t, p.CertFile, next.cert)
	writeFile(t, p.KeyFile, next.key)
	until(t, "the new certificate", shows(next.leaf))
}

func TestSelfSigned(t *testing.T) {
	log := new(records)
	r := serve(t, server.Config{Logger: log.logger(), TLS: &server.TLS{SelfSigned: true, SelfSignedHosts: []string{"my.test", "10.0.0.1"}}})
	cert := r.shown("localhost")
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "my.test", "10.0.0.1"} {
		if err := cert.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(log.String(), "sha256=") {
		t.Error("no fingerprint in the log")
	}
}

func TestTLSProtocols(t *testing.T) {
	r := serve(t, server.Config{TLS: &server.TLS{SelfSigned: true}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})})
	for want, client := range map[string]*http.Client{"HTTP/1.1": r.client(overHTTP1), "HTTP/2.0": r.client(overHTTP2)} {
		res, err := client.Get("https://localhost/")
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(res.Body); string(text) != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
	if _, err := tls.Dial("tcp", r.hostport(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	if res := send(t, r.dial(), get); res.StatusCode != 400 {
		t.Errorf("plain text: %s", res.Status)
	}
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	ca := makePair(t, "ca", year).at(t, dir)
	stranger := makePair(t, "stranger", year)
	r := serve(t, server.Config{TLS: &server.TLS{SelfSigned: true, ClientCAFile: ca.CertFile}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, map[bool]string{true: "known", false: "unknown"}[len(r.TLS.VerifiedChains) > 0])
	})})
	ask := func(p *pair) (string, error) {
		c := &tls.Config{InsecureSkipVerify: true}
		if p != nil {
			cert, _ := tls.X509KeyPair(p.cert, p.key)
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}
		conn, err := tls.Dial("tcp", r.hostport(), c)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		text, err := io.ReadAll(conn)
		return string(text), err
	}
	if got, err := ask(nil); !strings.HasSuffix(got, "unknown") {
		t.Error("nobody:", got, err)
	}
	if got, err := ask(ca); !strings.HasSuffix(got, "\r\nknown") {
		t.Error("a known one:", got, err)
	}
	if got, err := ask(stranger); err == nil {
		t.Error("a stranger:", got)
	}
}

func TestRedirectToHTTPS(t *testing.T) {
	r := serve(t, server.Config{
		Listen: []server.Address{{Network: "tcp", Address: "127.0.0.1:0", Plain: true}, tcp("127.0.0.1:0")},
		TLS:    &server.TLS{SelfSigned: true},
		HTTP:   server.Limits{RedirectToHTTPS: true},
		Challenges: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
					_, _ = io.WriteString(w, "challenge")
					return
				}
				next.ServeHTTP(w, r)
			})
		},
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(r.Addresses()[1], "https://"))
	for request, want := range map[string]string{
		"GET /a%2Fb/?x=%20y#":                   "",
		"GET /a%2Fb/?x=%20y":                    "https://a.example:" + port + "/a%2Fb/?x=%20y",
		"POST /":                                "https://a.example:" + port + "/",
		"GET //evil.example/x":                  "https://a.example:" + port + "//evil.example/x",
		"GET /\\evil.example":                   "https://a.example:" + port + "/%5Cevil.example",
		"GET /?\xff<":                           "https://a.example:" + port + "/?%FF%3C",
		"GET @evil.example/":                    "",
		"GET http://a.example:8080/x":           "https://a.example:" + port + "/x",
		"GET /.well-known/acme-challenge/token": "",
	} {
		res := send(t, r.dial(), request+" HTTP/1.1\r\nHost: a.example:8080\r\n\r\n")
		if got := res.Header.Get("Location"); got != want && want != "" || want != "" && res.StatusCode != 308 || want == "" && got != "" && !strings.HasPrefix(got, "https://a.example:") {
			t.Errorf("%q: %s %q, want %q", request, res.Status, got, want)
		}
	}
	for host, ok := range map[string]bool{"a.example": true, "[::1]:80": true, "127.0.0.1": true, "a/b": false, "a@b": false, "a:x": false, "": false, "a,b": false} {
		res := send(t, r.dial(), "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if got := res.StatusCode == 308; got != ok {
			t.Errorf("Host %q: %s %s", host, res.Status, res.Header.Get("Location"))
		}
	}
}
