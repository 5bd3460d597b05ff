package errorhandler_test

import (
	"flag"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/request"
)

var update = flag.Bool("update", false, "write the golden files")

func TestBuiltInPagesLookAsTheyDid(t *testing.T) {
	tests := []struct {
		file, accept, id string
		err              *errorhandler.HTTPError
	}{
		{"404.html", "text/html", "01jd6w1v5k3rqmz8x2h9f4ctba", &errorhandler.HTTPError{Status: 404}},
		{"403-message.html", "text/html", "<id>", &errorhandler.HTTPError{Status: 403, Message: `group "admins" only <b>`}},
		{"599.html", "text/html", "", &errorhandler.HTTPError{Status: 599}},
		{"502.json", "application/json", "01jd6w1v5k3rqmz8x2h9f4ctba", &errorhandler.HTTPError{Status: 502}},
		{"429.txt", "*/*", "01jd6w1v5k3rqmz8x2h9f4ctba", &errorhandler.HTTPError{Status: 429}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			h := newHandler(t, errorhandler.Config{}).Wrap(failing(tt.err))
			got := get(inFront(h, func(rec *request.Record) { rec.ID = tt.id }), tt.accept).Body.String()
			path := "testdata/golden/" + tt.file
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || got != string(want) {
				t.Errorf("%v; got\n%s", err, got)
			}
		})
	}
}

func TestEveryStatusHasASmallPage(t *testing.T) {
	for status := 400; status < 600; status++ {
		h := newHandler(t, errorhandler.Config{}).Wrap(failing(&errorhandler.HTTPError{Status: status}))
		w := get(inFront(h, func(rec *request.Record) { rec.ID = "01jd6w1v5k3rqmz8x2h9f4ctba" }), "text/html")
		if status == request.StatusClientClosed {
			continue
		}
		body := w.Body.String()
		if w.Code != status || len(body) > 4096 || !strings.Contains(body, `<html lang="en">`) || !strings.Contains(body, strconv.Itoa(status)) {
			t.Errorf("%d: %d, %d bytes", status, w.Code, len(body))
		}
		for _, never := range []string{"<script", "http://", "https://", "@import", "url("} {
			if strings.Contains(body, never) {
				t.Errorf("%d: page holds %s", status, never)
			}
		}
	}
}

func FuzzAccept(f *testing.F) {
	for _, s := range []string{"", "*/*", "text/html;q=0.5, application/json", `a/b;x="\",";q=1`, "text/*;q=2", ",;,/", "*/html"} {
		f.Add(s)
	}
	h := newHandler(f, errorhandler.Config{}).Wrap(failing(&errorhandler.HTTPError{Status: 404}))
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept"] = []string{accept}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 404 || w.Body.Len() == 0 {
			t.Errorf("%q: %d", accept, w.Code)
		}
	})
}
