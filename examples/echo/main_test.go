package main

import (
	"strings"
	"testing"

	"github.com/mountd/mountd/examples/internal/sitetest"
)

func TestSite(t *testing.T) {
	h, err := handler()
	s := sitetest.New(t, h, err)
	s.Want(s.Get("/shop"), 200, `href="/shop/items/1"`)
	s.Files("/shop/static/", "An example")
	if got := s.Get("/shop/static").Header.Get("Location"); got != "/shop/static/" {
		t.Errorf("a directory without its slash is redirected to %q", got)
	}
	s.Want(s.Get("/shop/items/1"), 200, `"1"`)
	s.Fails("/missing", 404, "")
	s.Fails("/shop/missing", 404, "")
	s.Fails("/shop/items/2", 410, "it was sold")
	s.Fails("/shop/items/3", 404, "there is no item 3")
	s.Fails("/shop/panic", 500, "")
	s.Limited("/shop/limited")
}

func TestOtherSitesSendNothing(t *testing.T) {
	h, err := handler()
	s := sitetest.New(t, h, err)
	s.Want(s.Do("POST", "/shop/items", "Sec-Fetch-Site: same-origin"), 201, "")
	s.Want(s.Do("POST", "/shop/items", "Sec-Fetch-Site: cross-site"), 403, "")
	s.Want(s.Do("POST", "/shop/hooks/paid", "Sec-Fetch-Site: cross-site"), 204, "")
}

func TestBasketsBelongToVisitors(t *testing.T) {
	h, err := handler()
	s := sitetest.New(t, h, err)
	res := s.Do("POST", "/shop/basket")
	cookie := "Cookie: " + strings.Split(res.Header.Get("Set-Cookie"), ";")[0]
	s.Want(res, 200, "1 in the basket")
	s.Want(s.Do("POST", "/shop/basket", cookie), 200, "2 in the basket")
	s.Want(s.Do("POST", "/shop/basket"), 200, "1 in the basket")
}
