package proxy_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/backend/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func itoa(n int) string { return strconv.Itoa(n) }

// newProxy makes a proxy that ends with the test, and must end cleanly.
func newProxy(tb testing.TB, cfg proxy.Config) *proxy.Proxy {
	tb.Helper()
	p, err := proxy.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			tb.Errorf("requests under way after the test: %v", err)
		}
	})
	return p
}
