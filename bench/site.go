package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// site is what every server serves: files, a text, and a backend behind a
// proxy, once more with a password before it.
type site struct {
	work  string
	files string
	ports map[string]int
}

// sizes of the files; the largest is for clients that read slowly, and must
// not fit into the buffers of a connection.
var sizes = map[string]int{"13B": 13, "1KiB": 1 << 10, "10KiB": 10 << 10, "100KiB": 100 << 10, "1MiB": 1 << 20, "16MiB": 16 << 20}

// The user that may pass, and the hashes of its password (htpasswd -B -C 10,
// htpasswd -m).
const (
	userName     = "joe"
	userPassword = "secret"
	bcryptHash   = "$2y$10$HnM5RxRGpPLDPtwCSMxcwuMjjv06hTGPdAQevF2wBSmhX.3h.APSG"
	apr1Hash     = "$apr1$65XcSKV8$x6wRlvwXBf3r.5f9TS2Q61"
)

func credentials(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func newSite(work string) (*site, error) {
	s := &site{work: work, files: filepath.Join(work, "files"), ports: map[string]int{}}
	if err := os.MkdirAll(s.files, 0o755); err != nil {
		return nil, err
	}
	for name, size := range sizes {
		if err := os.WriteFile(filepath.Join(s.files, name+".txt"), text(size), 0o644); err != nil {
			return nil, err
		}
	}
	return s, errors.Join(
		os.WriteFile(s.file("users.bcrypt"), []byte(userName+":"+bcryptHash+"\n"), 0o644),
		os.WriteFile(s.file("users.apr1"), []byte(userName+":"+apr1Hash+"\n"), 0o644),
		s.certificate(),
	)
}

func (s *site) file(name string) string { return filepath.Join(s.work, name) }

// body is what must come for a file of this size.
func (s *site) body(size string) ([]byte, error) {
	return os.ReadFile(filepath.Join(s.files, size+".txt"))
}

// certificate writes one for the loopback address: cert.pem, key.pem, and both
// in one file for HAProxy.
func (s *site) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return errors.Join(
		os.WriteFile(s.file("cert.pem"), cert, 0o644),
		os.WriteFile(s.file("key.pem"), secret, 0o644),
		os.WriteFile(s.file("both.pem"), append(cert, secret...), 0o644),
	)
}

// text gives size bytes that compress badly enough not to flatter anyone; of
// 13 it is what the backend answers at once.
func text(size int) []byte {
	if size == len(hello) {
		return []byte(hello)
	}
	r := rand.New(rand.NewPCG(1, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz      \n"[r.IntN(33)]
	}
	return b
}

// port gives a server's port, the same one each time.
func (s *site) port(name string) (int, error) {
	if port, ok := s.ports[name]; ok {
		return port, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	s.ports[name] = l.Addr().(*net.TCPAddr).Port
	return s.ports[name], nil
}

// server is a program with its configuration.
type server struct {
	name   string
	bin    string
	port   int
	secure int               // port with TLS; 0: none
	files  map[string]string // the configuration
	args   []string
	env    []string
}

// variant is what a case needs of a server besides the usual.
type variant struct {
	tls  bool
	many bool // ten thousand connections
}

func (s *site) server(name string, v variant) (server, error) {
	sv := server{name: name, files: map[string]string{}}
	var err error
	if sv.port, err = s.port(name); err != nil {
		return sv, err
	}
	if v.tls {
		if sv.secure, err = s.port(name + " with TLS"); err != nil {
			return sv, err
		}
	}
	switch kind, _, _ := strings.Cut(name, "-"); kind {
	case "nginx":
		s.nginx(&sv, v)
	case "haproxy":
		s.haproxy(&sv)
	case "caddy":
		s.caddy(&sv)
	case "traefik":
		s.traefik(&sv)
	default:
		s.mountd(&sv)
	}
	return sv, nil
}
