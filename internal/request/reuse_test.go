package request_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/request"
)

func acquire(w http.ResponseWriter) *request.Record {
	return request.Acquire(w, httptest.NewRequest("GET", "/x", nil))
}

func TestRecordsAreKeptInDoubt(t *testing.T) {
	reusable := func(rec *request.Record) { rec.Reusable() }
	for name, test := range map[string]struct {
		make     func() *request.Record
		use      []func(*request.Record)
		released bool
	}{
		"vouched for":         {nil, []func(*request.Record){reusable}, true},
		"nobody has vouched":  {nil, nil, false},
		"kept":                {nil, []func(*request.Record){reusable, (*request.Record).Keep}, false},
		"kept, then vouched":  {nil, []func(*request.Record){(*request.Record).Keep, reusable}, false},
		"kept by its context": {nil, []func(*request.Record){reusable, func(rec *request.Record) { request.Keep(rec.Request.Context()) }}, false},
		"a context child": {nil, []func(*request.Record){reusable, func(rec *request.Record) {
			_, cancel := context.WithCancel(rec)
			cancel()
		}}, false},
		"a deadline": {nil, []func(*request.Record){reusable, func(rec *request.Record) {
			_, cancel := context.WithTimeout(context.WithValue(rec, recordTest{}, 1), time.Hour)
			cancel()
		}}, false},
		"a function that waits": {nil, []func(*request.Record){reusable, func(rec *request.Record) { context.AfterFunc(rec, func() {}) }}, false},
		"Done":                  {nil, []func(*request.Record){reusable, func(rec *request.Record) { rec.Done() }}, false},
		"Err and Value": {nil, []func(*request.Record){reusable, func(rec *request.Record) {
			_, _ = rec.Err(), rec.Value(recordTest{})
		}}, true},
		"a value child": {nil, []func(*request.Record){reusable, func(rec *request.Record) { _ = context.WithValue(rec, recordTest{}, 1) }}, true},
		"not acquired": {func() *request.Record {
			return request.New(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
		}, []func(*request.Record){reusable}, false},
	} {
		rec := acquire(httptest.NewRecorder())
		if test.make != nil {
			rec = test.make()
		}
		for _, use := range test.use {
			use(rec)
		}
		if got := rec.Release(); got != test.released {
			t.Errorf("%s: released %v", name, got)
		}
	}
	request.Keep(context.Background()) // no record, no harm
}

type recordTest struct{}

func TestHeaderValues(t *testing.T) {
	h := http.Header{}
	for i := range 200 {
		h[strconv.Itoa(i)] = request.HeaderValue(strconv.Itoa(-i))
	}
	h.Add("7", "another")
	for i := range 200 {
		if got := h.Get(strconv.Itoa(i)); got != strconv.Itoa(-i) {
			t.Errorf("%d is %q", i, got)
		}
	}
}

type scratch struct{ n int }

type tidy struct{ n, cleared int }

func (t *tidy) Clear() { t.n = 0; t.cleared++ }

func TestPooledValuesAreClean(t *testing.T) {
	var plain request.Pool[scratch]
	var own request.Pool[tidy]
	for range 100 {
		rec := acquire(httptest.NewRecorder())
		rec.Reusable()
		a, b, c := plain.Get(rec), plain.Get(rec), own.Get(rec)
		if a == b || *a != (scratch{}) || *b != (scratch{}) || c.n != 0 {
			t.Fatalf("%p %v, %p %v, %v", a, *a, b, *b, *c)
		}
		a.n, b.n, c.n = 1, 2, 3
		rec.Release()
	}
	if a, b := plain.Get(nil), plain.Get(nil); a == b || *a != (scratch{}) {
		t.Errorf("%p %p without a record", a, b)
	}
}
