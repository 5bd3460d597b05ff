package frontdoor_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"

	"github.com/mountd/mountd/internal/frontdoor"
	"github.com/mountd/mountd/internal/request"
)

func TestFieldsOfOneHopEndAtTheDoor(t *testing.T) {
	var seen http.Header
	door, err := frontdoor.New(frontdoor.Config{Next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		connection []string
		kept       []string
		gone       string
	}{
		{[]string{"keep-alive"}, []string{"keep-alive"}, ""},
		{[]string{"Upgrade"}, []string{"Upgrade"}, ""},
		{[]string{"close, X-User-Id"}, []string{"close"}, "X-User-Id"},
		{[]string{"x-user-id ,\tUpgrade", "keep-alive"}, []string{"Upgrade, keep-alive"}, "X-User-Id"},
		{[]string{"X-User-Id"}, nil, "X-User-Id"},
		{[]string{"Authorization, Cookie"}, nil, ""},
		{[]string{""}, nil, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Connection"] = test.connection
		r.Header.Set("X-User-Id", "7")
		r.Header.Set("Authorization", "Basic x")
		r.Header.Set("Cookie", "a=b")
		door.ServeHTTP(httptest.NewRecorder(), r)
		if !slices.Equal(seen["Connection"], test.kept) {
			t.Errorf("Connection: %q becomes %q, want %q", test.connection, seen["Connection"], test.kept)
		}
		for _, name := range []string{"X-User-Id", "Authorization", "Cookie"} {
			if there := seen.Get(name) != ""; there != (name != test.gone) {
				t.Errorf("Connection: %q: %s is there: %v", test.connection, name, there)
			}
		}
	}
}

// TestNoClientHidesItselfBehindATrustedProxy is about proxies that hand the
// client's Connection field on.
func TestNoClientHidesItselfBehindATrustedProxy(t *testing.T) {
	var rec *request.Record
	door, err := frontdoor.New(frontdoor.Config{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Next:           http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { rec = request.From(r.Context()) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "127.0.0.1:4000"
	r.Header.Set("Connection", "close, X-Forwarded-For, X-Forwarded-Proto, Remote-User")
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("Remote-User", "joe")
	door.ServeHTTP(httptest.NewRecorder(), r)
	if rec.Client != netip.MustParseAddr("203.0.113.7") || rec.Scheme != "https" || !rec.Forwarded || rec.Asserted.Get("Remote-User") != "joe" {
		t.Errorf("client %v, scheme %q, forwarded %v, asserted %v", rec.Client, rec.Scheme, rec.Forwarded, rec.Asserted)
	}
}
