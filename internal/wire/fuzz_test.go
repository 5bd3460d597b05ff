package wire_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/wire"
)

func addRequests(f *testing.F) {
	f.Add(wrkHead)
	f.Add(browserHead)
	for _, c := range gunicornCases {
		if len(c.in) < 1000 {
			f.Add(c.in)
		}
	}
	for _, s := range []string{
		"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]\r\n\r\n", "GET HTTP://a.B:8/?x HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a.:1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: a, Close,,upgrade\r\nUpgrade: x\r\nTrailer: y\r\nExpect: 100-continue\r\n\r\n",
		"GET /\"<>\\^`{|}\xff HTTP/1.1\r\nHost: a\r\nX: \t a \t b\xff \t\r\nContent-Length: 000\r\nContent-type:x\r\n\r\n",
	} {
		f.Add(s)
	}
}

// Parse and the reference accept the same heads, and read them in the same way.
func FuzzRequestAgainstReference(f *testing.F) {
	addRequests(f)
	f.Fuzz(againstReference)
}

func againstReference(t *testing.T, block string) {
	t.Helper()
	var r wire.Request
	err := r.Parse(block, wire.Limits{})
	want, ok := referenceRequest(block)
	if ok != (err == nil) {
		t.Fatalf("%q: accepted by the reference: %v, by Parse: %v", block, ok, err)
	}
	if err != nil {
		return
	}
	if n, err := wire.HeadEnd([]byte(block), 0); n != len(block) || err != nil {
		t.Errorf("%q: HeadEnd gives %d, %v", block, n, err)
	}
	got := reading{method: r.Method, target: r.Target, minor: fmt.Sprint(r.Minor), host: r.Host, length: r.Length}
	for _, f := range r.Fields {
		got.fields = append(got.fields, [2]string{strings.ToLower(f.Name), f.Value})
		if f.Name != http.CanonicalHeaderKey(f.Name) {
			t.Errorf("name %q", f.Name)
		}
	}
	got.options = want.options
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%q:\n got %+v\nwant %+v", block, got, want)
	}
	if r.Close != want.has("close") || r.KeepAlive != want.has("keep-alive") || r.Upgrade && !want.has("upgrade") {
		t.Errorf("%q: options %q, got %v %v %v", block, want.options, r.Close, r.KeepAlive, r.Upgrade)
	}
	if _, _, err := canonical.Host(r.Host); r.HasHost && err != nil {
		t.Errorf("host %q: %v", r.Host, err)
	}
}

// What Parse accepts, net/http accepts, and reads in the same way. Where they
// differ:
//
//   - net/http parses the target as a URL; what it refuses there (an invalid
//     escape) is package canonical's to refuse.
//   - It refuses a Trailer field that names a framing field.
//   - It adds "Cache-Control: no-cache" to "Pragma: no-cache".
func FuzzRequestAgainstNetHTTP(f *testing.F) {
	addRequests(f)
	f.Fuzz(againstNetHTTP)
}

func againstNetHTTP(t *testing.T, block string) {
	t.Helper()
	var r wire.Request
	if r.Parse(block, wire.Limits{}) != nil {
		return
	}
	if _, err := url.ParseRequestURI(r.Target); err != nil && r.Method != "CONNECT" {
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(block)))
	if err != nil {
		if r.Trailer && strings.Contains(err.Error(), "bad trailer key") {
			return
		}
		t.Fatalf("%q: net/http refuses it: %v", block, err)
	}
	if req.Method != r.Method || req.RequestURI != r.Target || req.ProtoMinor != r.Minor || req.Host != r.Host {
		t.Errorf("%q: net/http reads %s %s 1.%d %s", block, req.Method, req.RequestURI, req.ProtoMinor, req.Host)
	}
	if req.ContentLength != r.Length || (len(req.TransferEncoding) > 0) != (r.Length == wire.LengthChunked) {
		t.Errorf("%q: length %d, net/http %d, %q", block, r.Length, req.ContentLength, req.TransferEncoding)
	}
	if closes := r.Close || r.Minor == 0 && !r.KeepAlive; req.Close != closes {
		t.Errorf("%q: closes %v, net/http %v", block, closes, req.Close)
	}
	want := http.Header{}
	for _, f := range r.Fields {
		switch f.Name {
		case "Host", "Transfer-Encoding", "Trailer":
		case "Content-Length":
			if got := req.Header.Get(f.Name); got != f.Value {
				t.Errorf("%q: net/http has Content-Length %q", block, got)
			}
			delete(req.Header, f.Name)
		default:
			want[f.Name] = append(want[f.Name], f.Value)
		}
	}
	if slices.Contains(want["Pragma"][:min(1, len(want["Pragma"]))], "no-cache") && want["Cache-Control"] == nil {
		delete(req.Header, "Cache-Control")
	}
	delete(req.Header, "Trailer")
	if fmt.Sprintf("%q", want) != fmt.Sprintf("%q", req.Header) {
		t.Errorf("%q:\n got      %q\nnet/http %q", block, want, req.Header)
	}
}

// Parse takes the hosts that package canonical takes, and no others.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"a", "A.b.:80", "[::1]:8080", "[::ffff:1.2.3.4]", "[fe80::1%25a]", "", ".", ":1", "a..b", "a:99999", "a:01", "a:", "_x-y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if host != wire.Trim(host) || !wire.IsValue(host) {
			return
		}
		var r wire.Request
		got := r.Parse("GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n", wire.Limits{})
		if _, _, want := canonical.Host(host); (got == nil) != (want == nil) {
			t.Errorf("%q: %v, package canonical says %v", host, got, want)
		}
	})
}

// However a head comes, HeadEnd says the same of it.
func FuzzHeadEndSplits(f *testing.F) {
	for _, s := range []string{wrkHead, "GET / HTTP/1.1\r\nA: b\r\r\n\r\n", "\r\n", "a\rb", "a\n", "a: b\r\n\r\nc\x00", "a\tb\x7f\r\n\r\n", "\xff\x80\r\n\r\n\n"} {
		f.Add([]byte(s), []byte{1, 0, 3, 9})
	}
	f.Fuzz(func(t *testing.T, in, steps []byte) {
		wantN, wantErr := wire.HeadEnd(in, 0)
		plain := bytes.Index(in, []byte("\r\n\r\n"))
		if wantErr == nil && wantN != 0 && (plain < 0 || wantN != plain+4) || wantErr == nil && wantN == 0 && plain >= 0 {
			t.Fatalf("%q: %d, the empty line is at %d", in, wantN, plain)
		}
		at, seen := 0, 0
		for i := 0; ; i++ {
			step := 1
			if len(steps) > 0 {
				step = int(steps[i%len(steps)])
			}
			if i > 2*len(in) {
				step = len(in)
			}
			at = min(at+step, len(in))
			n, err := wire.HeadEnd(in[:at:at], seen)
			if n != 0 || err != nil || at == len(in) {
				if n != wantN || fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Errorf("%q in steps of %v: %d, %v; at once: %d, %v", in, steps, n, err, wantN, wantErr)
				}
				return
			}
			seen = at
		}
	})
}

func addBodies(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n", "3;a=b\r\nabc\r\n0\r\nA: b\r\nHost: c\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n",
		"a ;x\r\n0123456789\r\n00\r\n\r\n", "1\nx\n0\n\n", "7fffffffffffffff\r\nx", "8000000000000000\r\nx", "1;\"\r\nx\r\n0;\r\n \r\n\r\n", "2\r\nx\r\nA\r\n", "3 ;a\r\nabc\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s), byte(1))
	}
}

// However a chunked body comes, it is read in the same way, which is that of
// the reference and, where it is accepted, of net/http.
func FuzzChunked(f *testing.F) {
	addBodies(f)
	f.Fuzz(againstAll)
}

func againstAll(t *testing.T, in []byte, step byte) {
	t.Helper()
	whole := dechunk(in, len(in)+1)
	parts := dechunk(in, int(step)+1)
	if fmt.Sprintf("%+v", whole) != fmt.Sprintf("%+v", parts) {
		t.Fatalf("%q at once: %+v\nin steps of %d: %+v", in, whole, int(step)+1, parts)
	}
	body, trailer, taken, ok := referenceChunked(string(in))
	if len(in) > 2000 { // limits
		ok = ok && whole.err == "EOF"
	}
	if ok != (whole.err == "EOF") && len(trailer) <= wire.MaxTrailerFields {
		t.Fatalf("%q: the reference accepts it: %v, Chunked says %s %s", in, ok, whole.err, whole.text)
	}
	if whole.err != "EOF" {
		return
	}
	if body != whole.body || taken != whole.n {
		t.Errorf("%q: %q in %d bytes, the reference says %q in %d", in, whole.body, whole.n, body, taken)
	}
	trailer = slices.DeleteFunc(trailer, func(f [2]string) bool { return !wire.TrailerAllowed(http.CanonicalHeaderKey(f[0])) })
	var got [][2]string
	for _, f := range whole.trailer {
		got = append(got, [2]string{strings.ToLower(f.Name), f.Value})
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", trailer) {
		t.Errorf("%q: trailer %q, the reference says %q", in, got, trailer)
	}
	stock, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
	if err != nil || string(stock) != whole.body {
		t.Errorf("%q: net/http reads %q, %v", in, stock, err)
	}
}
