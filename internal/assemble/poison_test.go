//go:build poison

package assemble_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/assemble"
)

// TestLateUseShows holds the poison to its purpose: an application that says
// it keeps nothing, and does, finds nothing to be of use.
func TestLateUseShows(t *testing.T) {
	var late *http.Request
	var writer http.ResponseWriter
	site := reuseSite(t, func(p *assemble.Parts) {
		k := foreignApp(true)
		k.New = func(compose.AppContext, any) (compose.App, error) {
			return compose.App{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { late, writer = r, w })}, nil
		}
		p.Apps["quick"] = k
	})
	site.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/plain", nil))
	if late.Method != "POISON" || late.URL.Path != "POISON" || late.Header != nil {
		t.Errorf("%s %s %v", late.Method, late.URL, late.Header)
	}
	for name, use := range map[string]func(){
		"the writer":  func() { writer.WriteHeader(200) },
		"the context": func() { _ = late.Context().Err() },
		"a value":     func() { late.Context().Value(recorderKey{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s can still be used", name)
				}
			}()
			use()
		}()
	}
}
