package builtin_test

import (
	"testing"

	"github.com/mountd/mountd/internal/builtin"
)

// TestTransientPartsExist: a name that is no part's would make one of nothing.
func TestTransientPartsExist(t *testing.T) {
	n := 0
	for name, f := range builtin.Middlewares(builtin.Env{Silent: true}) {
		if f.New == nil || f.Options == nil {
			t.Errorf("%s cannot be built", name)
		}
		if f.Transient {
			n++
		}
	}
	for name, k := range builtin.Apps() {
		if k.New == nil || k.Options == nil {
			t.Errorf("%s cannot be built", name)
		}
		if k.Transient {
			n++
		}
	}
	if n < 15 {
		t.Errorf("%d transient parts", n)
	}
}
