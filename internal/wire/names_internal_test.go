package wire

import (
	"net/textproto"
	"testing"
)

// Every known name has a place of its own in the index, and is what net/http
// calls it.
func TestKnownNames(t *testing.T) {
	seen := map[uint]string{}
	for _, k := range known {
		s := slot(k.name)
		if other, taken := seen[s]; taken {
			t.Errorf("%s and %s share a slot", k.name, other)
		}
		seen[s] = k.name
		if k.name != textproto.CanonicalMIMEHeaderKey(k.name) {
			t.Errorf("%s is not canonical", k.name)
		}
		if got, ok := canonical(k.name); !ok || got != k {
			t.Errorf("%s: found %v", k.name, got)
		}
	}
}
