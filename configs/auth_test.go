package configs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestBasicAuth(t *testing.T) {
	h := load(t, "basic-auth.yaml", "USERS", people(t, "joe", "ann"), "APP", told(t))
	send(t, h,
		exchange{request: "GET /", status: 401, holds: []string{`Www-Authenticate: Basic realm="Our site"`}},
		exchange{request: "GET /", header: basic("joe", "wrong"), status: 401},
		exchange{request: "GET /", header: basic("nobody", "right"), status: 401},
		exchange{request: "GET /", header: basic("joe", "right") + "; Remote-User: root", status: 200, holds: []string{`user="joe" groups="admins"`, `authorization=""`}},
		exchange{request: "GET /", header: basic("ann", "right") + "; Remote-Groups: admins", status: 200, holds: []string{`user="ann" groups=""`}},
		exchange{request: "GET /healthz", header: "Remote-User: root", status: 200, holds: []string{`user=""`}},
		exchange{request: "GET /admin/x", header: basic("joe", "right"), status: 200},
		exchange{request: "GET /admin/x", header: basic("ann", "right"), status: 403},
		exchange{request: "GET /admin", status: 401},
	)
}

func TestThePasswordOfTheRecipes(t *testing.T) {
	h := load(t, "basic-auth.yaml", "APP", told(t))
	for _, user := range []string{"joe", "ann"} {
		send(t, h, exchange{request: "GET /", header: basic(user, "example"), status: 200, holds: []string{user}})
	}
}

// The provider is oidc-provider, a certified one for Node.
func TestOIDC(t *testing.T) {
	node := need(t, "node", "nodejs")
	dir := "../auth/oidc/testdata/provider"
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		missing(t, "oidc-provider is not installed (npm install --no-package-lock --prefix auth/oidc/testdata/provider)")
	}
	site := httptest.NewUnstartedServer(nil)
	at := "http://" + site.Listener.Addr().String()
	cmd := exec.Command(node, "provider.mjs", at)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "NODE_NO_WARNINGS=1")
	site.Config.Handler = load(t, "oidc.yaml", "ISSUER", started(t, cmd), "CLIENT_ID", "gate:1", "CLIENT_SECRET", "a secret & more", "USER_CLAIM", "sub", "APP", told(t))
	site.Start()
	t.Cleanup(site.Close)

	joe := newVisitor(t)
	page := joe.submit(joe.get(at+"/staff/x?y=1"), "login", "joe", "password", "any")
	page = joe.submit(page) // consent
	page.is(t, 200, "/staff/x", `user="joe" groups="staff" name="joe Doe" email="joe@example.com"`)
	if strings.Contains(page.text, "mountd") {
		t.Errorf("the application sees our cookies: %s", page.text)
	}
	joe.get(at+"/").is(t, 200, "/", `user="joe"`)
	newVisitor(t).get(at+"/bye").is(t, 200, "/bye", "logged out")

	page = joe.submit(joe.get(at + "/.mountd/logout"))
	joe.submit(page, "logout", "yes").is(t, 200, "/bye", "logged out")
	if page = joe.get(at + "/"); !strings.Contains(page.text, `name="password"`) {
		t.Errorf("nobody is asked for a password after the logout: %s at %s", page.Status, page.Request.URL)
	}
}

// verifier answers as Authelia does: it knows whom a cookie stands for, and leads
// others to a portal.
func verifier(t *testing.T) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		cookie, _ := r.Cookie("authelia_session")
		groups := map[string]string{"joe": "admins,dev", "ann": "dev"}
		switch {
		case r.Method != http.MethodGet || r.URL.Path != "/api/authz/forward-auth" || r.Header.Get("Remote-User") != "":
			w.WriteHeader(http.StatusBadRequest)
		case cookie != nil && groups[cookie.Value] != "":
			w.Header().Set("Remote-User", cookie.Value)
			w.Header().Set("Remote-Groups", groups[cookie.Value])
			w.Header().Set("Remote-Name", cookie.Value+" Doe")
			w.Header().Set("Remote-Email", cookie.Value+"@example.com")
		case !strings.Contains(r.Header.Get("Accept"), "text/html"):
			w.WriteHeader(http.StatusUnauthorized)
		default:
			back := r.Header.Get("X-Forwarded-Proto") + "://" + r.Header.Get("X-Forwarded-Host") + r.Header.Get("X-Forwarded-Uri")
			http.Redirect(w, r, "https://auth.example.com/?rd="+url.QueryEscape(back)+"&rm="+r.Header.Get("X-Forwarded-Method"), http.StatusFound)
		}
	})
}

func TestForwardAuth(t *testing.T) {
	app := told(t)
	h := load(t, "forward-auth.yaml", "VERIFY", verifier(t)+"/api/authz/forward-auth", "APP", app)
	send(t, h,
		exchange{
			request: "GET /x/../a?b=1", header: "Accept: text/html", status: 302,
			holds: []string{"Location: https://auth.example.com/?rd=http%3A%2F%2Fexample.com%2Fa%3Fb%3D1&rm=GET"},
		},
		exchange{request: "POST /a", body: "kept from the service", status: 401},
		exchange{request: "GET /a", header: "Remote-User: joe", status: 401},
		exchange{
			request: "GET /a", header: "Cookie: authelia_session=joe; Remote-User: root", status: 200,
			holds: []string{`user="joe" groups="admins,dev" name="joe Doe" email="joe@example.com"`},
		},
		exchange{request: "POST /a", header: "Cookie: authelia_session=ann", body: "for the application", status: 200, holds: []string{`user="ann"`}},
		exchange{request: "GET /admin/x", header: "Cookie: authelia_session=joe", status: 200},
		exchange{request: "GET /admin/x", header: "Cookie: authelia_session=ann", status: 403},
	)
	away := load(t, "forward-auth.yaml", "VERIFY", "http://127.0.0.1:9/api/authz/forward-auth", "APP", app)
	send(t, away, exchange{request: "GET /a", header: "Cookie: authelia_session=joe", status: 503, lacks: []string{"user="}})
}

// issuer signs tokens with a key that it publishes in a file.
type issuer struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	file string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, X, Y
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	set := fmt.Sprintf(`{"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "alg": "ES256", "x": %q, "y": %q}]}`, encode(point[1:33]), encode(point[33:]))
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	return &issuer{t, key, file}
}

// token gives a header field with a token; claims stand in pairs of name and
// value.
func (i *issuer) token(claims ...any) string {
	i.t.Helper()
	all := map[string]any{"iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "joe", "exp": time.Now().Add(time.Hour).Unix()}
	for j := 0; j < len(claims); j += 2 {
		all[claims[j].(string)] = claims[j+1]
	}
	body, err := json.Marshal(all)
	if err != nil {
		i.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"ES256","typ":"JWT","kid":"one"}`)) + "." + encode(body)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		i.t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return "Authorization: Bearer " + text + "." + encode(signature)
}

func TestAPITokens(t *testing.T) {
	us, others := newIssuer(t), newIssuer(t)
	h := load(t, "api-tokens.yaml", "ISSUER", "https://id.example.com", "JWKS", us.file, "API", told(t),
		"CI_KEY", fmt.Sprintf("%x", sha256.Sum256([]byte("a key of ci"))))
	writer := us.token("groups", []string{"writers"})
	send(t, h,
		exchange{request: "GET /v1/x", status: 401, holds: []string{"application/problem+json", "Www-Authenticate: Bearer", `Www-Authenticate: ApiKey`}},
		exchange{request: "GET /v1/x", header: us.token(), status: 200, holds: []string{`user="joe"`, `authorization=""`}},
		exchange{request: "GET /v1/x", header: others.token(), status: 401, holds: []string{`error="invalid_token"`}},
		exchange{request: "GET /v1/x", header: us.token("exp", time.Now().Add(-time.Hour).Unix()), status: 401},
		exchange{request: "GET /v1/x", header: us.token("aud", "https://another.example.com"), status: 401},
		exchange{request: "GET /v1/x", header: us.token("iss", "https://another.example.com"), status: 401},
		exchange{request: "PUT /v1/x", header: us.token(), status: 403},
		exchange{request: "PUT /v1/x", header: writer, status: 200, holds: []string{`user="joe" groups="writers"`}},
		exchange{request: "GET /v1/x", header: "X-API-Key: a key of ci", status: 200, holds: []string{`user="ci"`, `key=""`}},
		exchange{request: "GET /v1/x", header: "X-API-Key: another", status: 401},
		exchange{
			request: "OPTIONS /v1/x", header: "Origin: https://app.example.com; Access-Control-Request-Method: PUT; Access-Control-Request-Headers: authorization",
			status: 204, holds: []string{"Access-Control-Allow-Origin: https://app.example.com"},
		},
	)
}

// Two machines with one Redis: who has logged in at one is known to the other,
// and who has logged out is known to neither.
func TestSessionsInRedis(t *testing.T) {
	env := []string{"REDIS", redis(t), "USERS", people(t, "joe"), "APP", told(t)}
	machines := []http.Handler{load(t, "sessions-redis.yaml", env...), load(t, "sessions-redis.yaml", env...)}
	turn := 0
	site := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn++ // a visitor asks once at a time
		machines[turn%2].ServeHTTP(w, r)
	}))
	joe := newVisitor(t)
	page := joe.get(site + "/reports?x=1")
	page.is(t, 200, "/.mountd/login", "Log in")
	joe.submit(page, "username", "joe", "password", "right").is(t, 200, "/reports", `user="joe"`, `cookie=""`)
	for range 4 {
		joe.get(site+"/").is(t, 200, "/", `user="joe"`)
	}
	joe.submit(joe.get(site+"/.mountd/logout")).is(t, 200, "/.mountd/logout", "Logged out")
	for range 2 {
		joe.get(site+"/").is(t, 200, "/.mountd/login", "Log in")
	}
}
