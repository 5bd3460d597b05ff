package main

import (
	"strings"
	"testing"

	"github.com/mountd/mountd/examples/internal/sitetest"
)

func TestSite(t *testing.T) {
	h, err := handler()
	s := sitetest.New(t, h, err)
	s.Files("/static/", "An example")
	s.Want(s.Get("/shop/items/1"), 200, `/shop/items/1`)
	s.Fails("/missing", 404, "")
	s.Fails("/shop/missing", 404, "")
	s.Fails("/shop/items/3", 404, "there is no item 3")
	s.Fails("/shop/panic", 500, "")
	s.Limited("/shop/limited")
	if got := s.Get("/shop/items/1").Header.Get("Content-Security-Policy"); got == "" {
		t.Error("no Content-Security-Policy")
	}
}

func TestOrdersAreForThoseWhoAreKnown(t *testing.T) {
	h, err := handler()
	s := sitetest.New(t, h, err)
	s.Fails("/shop/orders", 401, "")
	s.Want(s.Get("/shop/orders", "X-Api-Key: example"), 200, `"user":"ci"`)
	s.Want(s.Get("/shop/orders", "Authorization: Basic am9lOmV4YW1wbGU="), 200, `"user":"joe"`)
	if got := strings.Join(s.Get("/shop/orders").Header.Values("Www-Authenticate"), ", "); !strings.Contains(got, "Basic") || !strings.Contains(got, "ApiKey") {
		t.Errorf("the challenges are %s", got)
	}
}
