package main

import (
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
