package bearer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/auth/bearer"
)

func TestKeysOfAnIssuer(t *testing.T) {
	p := publish(t, nil)
	p.set(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/realm/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(claims{"issuer": p.URL + "/realm", "jwks_uri": p.URL + "/keys"})
		case "/keys":
			_, _ = w.Write(jwks("rsa1"))
		}
	})
	m := method(t, bearer.Config{Issuer: p.URL + "/realm"})
	if p.count() != 0 {
		t.Error("the issuer was asked before there was a token")
	}
	token := signed(t, "rsa1", good(claims{"iss": p.URL + "/realm"}))
	expect(t, m, token, 200)
	expect(t, m, signed(t, "rsa1", good(nil)), 401)
	if p.count() != 2 {
		t.Errorf("the issuer was asked %d times", p.count())
	}

	// Another name than its own.
	other := method(t, bearer.Config{Issuer: p.URL + "/realm/"})
	expect(t, other, token, 503)
}

// answers are what publishes keys in a bubble of fake time.
type answers struct {
	mu    sync.Mutex
	reply func(*http.Request) (*http.Response, error)
	hits  int
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.hits++
	reply := a.reply
	a.mu.Unlock()
	return reply(r)
}

func (a *answers) set(reply func(*http.Request) (*http.Response, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reply = reply
}

func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hits
}

func fixed(status int, body []byte) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: r,
			Body: noClose{bytes.NewReader(body)}, ContentLength: int64(len(body)),
		}, nil
	}
}

type noClose struct{ *bytes.Reader }

func (noClose) Close() error { return nil }

func failing(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("connection refused") }

func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// The row F16: whatever the endpoint does, known keys serve, and nothing is a
// 500.
func TestAnEndpointThatFails(t *testing.T) {
	keys() // outside of the bubbles
	html := []byte("<html>login</html>")
	for name, reply := range map[string]func(*http.Request) (*http.Response, error){
		"refuses":     failing,
		"is silent":   silent,
		"500":         fixed(500, nil),
		"500, keys":   fixed(500, jwks("rsa2")),
		"204":         fixed(204, nil),
		"HTML":        fixed(200, html),
		"no set":      fixed(200, []byte(`{}`)),
		"null":        fixed(200, []byte(`{"keys":null}`)),
		"a list":      fixed(200, []byte(`[]`)),
		"50 MiB":      fixed(200, append(bytes.Repeat([]byte(" "), 50<<20), jwks("rsa2")...)),
		"too many":    fixed(200, []byte(`{"keys":[`+strings.Repeat(`{},`, 1000)+`{}]}`)),
		"a redirect":  func(r *http.Request) (*http.Response, error) { return redirect(r) },
		"a cut reply": fixed(200, jwks("rsa2")[:100]),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{}
				a.set(fixed(200, jwks("rsa1")))
				m := method(t, bearer.Config{JWKS: "https://id.example.com/keys", Transport: a})
				long := good(claims{"exp": time.Now().Add(100 * time.Hour).Unix()})
				token, later, unknown := signed(t, "rsa1", long), signed(t, "rsa1", long), signed(t, "rsa2", long)
				expect(t, m, token, 200)
				a.set(reply)
				time.Sleep(time.Minute)
				expect(t, m, unknown, 401)
				expect(t, m, token, 200)
				time.Sleep(23 * time.Hour)
				expect(t, m, later, 200)
				synctest.Wait()
				time.Sleep(2 * time.Hour) // a day after the last good answer
				expect(t, m, later, 503)
				expect(t, m, token, 503)
				a.set(fixed(200, jwks("rsa2")))
				time.Sleep(2 * time.Minute)
				expect(t, m, unknown, 200)
				expect(t, m, token, 401)
			})
		})
	}
}

func redirect(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "id.example.com" {
		return fixed(200, jwks("rsa2"))(r)
	}
	res, err := fixed(302, nil)(r)
	res.Header.Set("Location", "https://evil.example.org/keys")
	return res, err
}

func TestAnIssuerThatComesLater(t *testing.T) {
	keys()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := &answers{}
		a.set(failing)
		m := method(t, bearer.Config{JWKS: "https://id.example.com/keys", Transport: a, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		token := signed(t, "rsa1", good(nil))
		for range 600 { // ten minutes
			expect(t, m, token, 503)
			time.Sleep(time.Second)
		}
		if a.count() > 20 {
			t.Errorf("asked %d times in ten minutes", a.count())
		}
		a.set(fixed(200, jwks("rsa1")))
		time.Sleep(time.Minute)
		expect(t, m, token, 200)
		synctest.Wait()
		if text := log.String(); strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=INFO") != 1 {
			t.Errorf("logged\n%s", text)
		}
	})
}

// The row F13: unknown keys have the endpoint asked rarely, and by one.
func TestUnknownKeysAreAskedForRarely(t *testing.T) {
	keys()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return fixed(200, jwks("rsa1"))(r)
		})
		m := method(t, bearer.Config{JWKS: "https://id.example.com/keys", Transport: a})
		tokens := make([]string, 100)
		for i := range tokens {
			tokens[i] = sign(t, keys()["ed"], "EdDSA", claims{"alg": "EdDSA", "kid": fmt.Sprint("unknown", i)}, good(nil))
		}
		start := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			for _, token := range tokens {
				wg.Go(func() { expect(t, m, token, 401) })
			}
			wg.Wait()
			time.Sleep(time.Second)
		}
		if elapsed := time.Since(start); a.count() > 2+int(elapsed/(10*time.Second)) {
			t.Errorf("asked %d times in %v", a.count(), elapsed)
		}
	})
}

func TestKeysThatChange(t *testing.T) {
	keys()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set(fixed(200, jwks("rsa1")))
		m := method(t, bearer.Config{JWKS: "https://id.example.com/keys", Transport: a})
		old, fresh := signed(t, "rsa1", good(claims{"exp": time.Now().Add(10 * time.Hour).Unix()})), signed(t, "rsa2", good(nil))
		expect(t, m, old, 200)
		time.Sleep(11 * time.Second)

		// A new key counts at once, and both while both are published.
		a.set(fixed(200, jwks("rsa1", "rsa2")))
		expect(t, m, fresh, 200)
		expect(t, m, old, 200)

		// One that was taken back serves no token, remembered or not.
		a.set(fixed(200, jwks("rsa2")))
		time.Sleep(10 * time.Minute)
		expect(t, m, old, 200) // this one has it looked at
		synctest.Wait()
		expect(t, m, old, 401)
		expect(t, m, fresh, 200)

		// None at all is an answer too.
		a.set(fixed(200, []byte(`{"keys":[]}`)))
		time.Sleep(10 * time.Minute)
		expect(t, m, fresh, 200)
		synctest.Wait()
		expect(t, m, fresh, 401)
	})
}

func TestOneFetchForAll(t *testing.T) {
	keys()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return fixed(200, jwks("rsa1"))(r)
		})
		m := method(t, bearer.Config{JWKS: "https://id.example.com/keys", Transport: a})
		var wg sync.WaitGroup
		for i := range 50 {
			token := signed(t, "rsa1", good(claims{"jti": fmt.Sprint(i)}))
			wg.Go(func() { expect(t, m, token, 200) })
		}
		wg.Wait()
		if a.count() != 1 {
			t.Errorf("fetched %d times", a.count())
		}
	})
}

func TestATokenIsForgottenWhenItExpires(t *testing.T) {
	keys()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set(fixed(200, jwks("rsa1")))
		m := method(t, bearer.Config{JWKS: "https://id.example.com/keys", Transport: a, Leeway: -1})
		token := signed(t, "rsa1", good(claims{"exp": time.Now().Add(time.Minute).Unix()}))
		expect(t, m, token, 200)
		time.Sleep(59 * time.Second)
		expect(t, m, token, 200)
		time.Sleep(time.Second)
		expect(t, m, token, 401)
	})
}

func TestAFileThatChanges(t *testing.T) {
	name := keyFile(t, jwks("rsa1"))
	m := method(t, bearer.Config{JWKS: name})
	expect(t, m, signed(t, "rsa1", good(nil)), 200)
	fresh := signed(t, "ed", good(nil))
	write := func(data []byte) {
		if err := os.WriteFile(name+"~", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+"~", name); err != nil {
			t.Fatal(err)
		}
	}
	eventually := func(want int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if _, status, _ := answer(m, fresh); status == want {
				return
			}
		}
		t.Errorf("the file's change did not count: %d was expected", want)
	}
	write(jwks("ed"))
	eventually(200)
	write([]byte("oops"))
	expect(t, m, signed(t, "ed", good(claims{"jti": "2"})), 200)
	write(jwks("rsa1"))
	eventually(401)
}

func TestASlowEndpointKeepsNobodyElse(t *testing.T) {
	keys()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set(silent)
		m := method(t, bearer.Config{JWKS: "https://id.example.com/keys", Transport: a})
		var refused atomic.Int32
		start := time.Now()
		var wg sync.WaitGroup
		token := signed(t, "rsa1", good(nil))
		for range 1000 {
			wg.Go(func() {
				if _, status, _ := answer(m, token); status == 503 {
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if refused.Load() != 1000 || time.Since(start) > 5*time.Second || a.count() != 1 {
			t.Errorf("%d refused after %v, asked %d times", refused.Load(), time.Since(start), a.count())
		}
	})
}
