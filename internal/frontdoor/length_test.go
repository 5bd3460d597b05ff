package frontdoor_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/internal/frontdoor"
)

// A request of HTTP/2 has no other framing than its frames: a length that says
// something else would be another request further in.
func TestLengthsOfHTTP2(t *testing.T) {
	d, err := frontdoor.New(frontdoor.Config{Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		says   []string
		length int64
		want   int
	}{
		{nil, 3, 204},
		{nil, -1, 204},
		{[]string{"3"}, 3, 204},
		{[]string{"3"}, 0, 400},
		{[]string{"3, 3"}, 0, 400},
		{[]string{"3", "3"}, 3, 400},
		{[]string{"+3"}, 3, 400},
		{[]string{""}, 0, 400},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
		r.ContentLength = row.length
		if row.says != nil {
			r.Header["Content-Length"] = row.says
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != row.want {
			t.Errorf("%q of %d bytes: %d, want %d", row.says, row.length, w.Code, row.want)
		}
	}
}
