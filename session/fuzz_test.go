package session_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mountd/mountd/session"
)

func FuzzParseRecord(f *testing.F) {
	now := time.Now()
	good := session.AppendRecord(nil, session.Record{Version: 7, User: "joe", Created: now, Seen: now, Expires: now, Deadline: now, Data: []byte("data")})
	for _, b := range [][]byte{nil, {1}, good, good[:40], good[:42], append([]byte{2}, good[1:]...), bytes.Repeat([]byte{0xff}, 60), bytes.Repeat([]byte{1}, 60)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := session.ParseRecord(b)
		if err != nil {
			if !errors.Is(err, session.ErrMalformed) {
				t.Error(err)
			}
			return
		}
		again, err := session.ParseRecord(session.AppendRecord(nil, rec))
		if err != nil || again.Version != rec.Version || again.User != rec.User || !again.Created.Equal(rec.Created) ||
			!again.Seen.Equal(rec.Seen) || !again.Expires.Equal(rec.Expires) || !again.Deadline.Equal(rec.Deadline) || !bytes.Equal(again.Data, rec.Data) {
			t.Errorf("%+v became %+v, %v", rec, again, err)
		}
	})
}

func FuzzDecodeValues(f *testing.F) {
	for _, s := range []string{"", "\x01", "\x01\x01a\x01b", "\x01\x01a\x01b\x01", "\x01\x80\x00", "\x01\xff\xff\xff\xff\x0f", "\x02\x01a\x01b", "\x01\x00\x00\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again, size, err := session.DecodeValues(b)
		if err == nil && (size != len(b) || !bytes.Equal(again, b)) {
			t.Errorf("%q of size %d became %q", b, size, again)
		}
	})
}

func FuzzCookie(f *testing.F) {
	m, err := session.New(session.Config{Store: memory(f)})
	if err != nil {
		f.Fatal(err)
	}
	b := &browser{m: m}
	b.put("a", "b")
	for _, s := range []string{b.cookie, b.cookie + "; " + b.cookie, "=" + b.cookie, ";;;", "mountd_session", "x=y; " + b.cookie, "\x00"} {
		f.Add(s)
	}
	id := b.cookie[len("mountd_session="):]
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{header}
		m.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if s := session.FromRequest(r); s.Get("a") != "" && !bytes.Contains([]byte(header), []byte("mountd_session="+id)) {
				t.Errorf("%q is a session", header)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	})
}
