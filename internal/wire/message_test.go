package wire_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/wire"
)

// conversation reads all the requests that a connection has sent, as a server
// would that gets step bytes at a time, and tells what it has understood; at
// its end stands the status of the refusal, if there was one, or "cut".
func conversation(in string, step int) string {
	var said []string
	var r wire.Request
	for in != "" {
		n := 0
		for at, seen := 0, 0; n == 0; {
			at = min(at+step, len(in))
			var err error
			if n, err = wire.HeadEnd([]byte(in[:at]), seen); err != nil {
				return strings.Join(append(said, status(err)), " ")
			}
			if n == 0 && at == len(in) {
				return strings.Join(append(said, "cut"), " ")
			}
			seen = at
		}
		if err := r.Parse(in[:n], wire.Limits{MaxHead: 4 << 10, MaxTarget: 1 << 10, MaxFields: 100}); err != nil {
			return strings.Join(append(said, status(err)), " ")
		}
		in = in[n:]
		body := ""
		switch {
		case r.Length < 0:
			out := dechunk([]byte(in), step)
			if out.err != "EOF" {
				return strings.Join(append(said, out.err), " ")
			}
			body, in = out.body, in[out.n:]
		case r.Length > int64(len(in)):
			return strings.Join(append(said, "cut"), " ")
		default:
			body, in = in[:r.Length], in[r.Length:]
		}
		said = append(said, fmt.Sprintf("%s%s=%q", r.Method, r.Target, body))
		if r.Close || r.Minor == 0 && !r.KeepAlive {
			break
		}
	}
	return strings.Join(said, " ")
}

func status(err error) string {
	var refusal *wire.Error
	switch {
	case errors.Is(err, io.EOF):
		return "EOF"
	case errors.As(err, &refusal):
		return fmt.Sprint(refusal.Status)
	}
	return fmt.Sprintf("no *Error: %v", err)
}

// dechunked is what became of a chunked body.
type dechunked struct {
	body    string
	n       int    // bytes taken
	err     string // "EOF", the status, or "cut"
	text    string // of the error
	trailer []wire.Field
}

// dechunk feeds in, step bytes at a time, to a decoder, as a connection with a
// buffer does.
func dechunk(in []byte, step int) (out dechunked) {
	var c wire.Chunked
	var body []byte
	defer func() { out.body = string(body) }()
	for at := min(step, len(in)); ; {
		data, n, err := c.Next(in[out.n:at])
		body = append(body, data...)
		out.n += n
		switch {
		case err != nil:
			out.err, out.text, out.trailer = status(err), err.Error(), c.Trailer()
			return out
		case n == 0 && at == len(in):
			out.err = "cut"
			return out
		case n == 0:
			at = min(at+step, len(in))
		}
	}
}

// The cases of gunicorn's tests/requests, in our words: what it refuses is
// refused here as well. Where it takes what we do not, "stricter" says why.
var gunicornCases = []struct{ name, in, want, stricter string }{
	{"invalid/001", "GET /foo HTTP/1.0\r\nbaz", "cut", ""},
	{"invalid/002", "GET HTTP/1.1\r\n\r\n", "400", ""},
	{"invalid/003", "GET\n/\nHTTP/1.1\r\n\r\n", "400", ""},
	{"invalid/003b", "x:y /foo HTTP/1.1\r\n\r\n", "400", ""},
	{"invalid/003c", "-x /foo HTTP/1.1\r\nHost: a\r\n\r\n", `-x/foo=""`, ""}, // a token is a token
	{"invalid/004", "GET /foo FTP/1.1\r\n\r\n", "400", ""},
	{"invalid/005", "GET /foo HTTP/1.1\r\nba\x00z: bar\r\n\r\n", "400", ""},
	{"invalid/006", "PUT /" + strings.Repeat("q", 2000) + " HTTP/1.0\r\n\r\n", "414", ""},
	{"invalid/007", "PUT / HTTP/1.0\r\nX: \n" + strings.Repeat("x", 2000) + "\r\n\r\n", "400", ""},
	{"invalid/008", "PUT / HTTP/1.0\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n", "431", ""},
	{"invalid/009", "PUT / HTTP/1.0\r\n" + strings.Repeat("x: 1\r\n", 101) + "\r\n", "431", ""},
	{"invalid/013", "GET / HTTP/1.1\r\nAccept:\r\n */*\r\n\r\n", "400", ""},
	{"invalid/014", "PUT / HTTP/1.0\r\nCONTENT-LENGTH: -1\r\n\r\n{}", "400", ""},
	{"invalid/015", "POST / HTTP/1.0\r\nCONTENT-LENGTH: bla\r\n\r\n{}", "400", ""},
	{"invalid/016", "PUT s://]ufd/: HTTP/1.1\r\n\r\n", "400", ""},
	{"invalid/018", "GET /test HTTP/111\r\nHost: a\r\n\r\n", "400", ""},
	{"invalid/020", "GET / HTTP/1.1\r\nContent-Length : 3\r\n\r\nxyz", "400", ""},
	{"invalid/021", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nxyz", "400", ""},
	{"invalid/022", "GET / HTTP/1.0\r\nContent-Length: -0\r\n\r\n", "400", ""},
	{"invalid/023", "GET / HTTP/1.0\r\nContent-Length: 0_1\r\n\r\n", "400", ""},
	{"invalid/024", "GET / HTTP/1.0\r\nContent-Length: +1\r\n\r\n", "400", ""},
	{"invalid/040", "GET / HTTP/1.0\r\nContent-Length: 7\r\nContent_Length: -1E23\r\n\r\ntricked", `GET/="tricked"`, ""}, // another name; the front door drops it
	{"invalid/041", "GET / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n\r\n", "400", ""},
	{"invalid/042", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400", ""},
	{"invalid/chunked_01", chunkedPost("5\r\nhello\r\n6_0\r\n world\r\n0\r\n\r\nPOST /after HTTP/1.1\r\n\r\n"), "400", ""},
	{"invalid/chunked_02", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nTransfer-Encoding: \tchunked\r\n\r\n5\r\nhello\r\n", "400", ""},
	{"invalid/chunked_03", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked, identity, chunked\r\n\r\n", "400", ""},
	{"invalid/chunked_04", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n", "400", ""},
	{"invalid/chunked_05", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "400", ""},
	{"invalid/chunked_06", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n", "400", ""},
	{"invalid/chunked_08", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", "400", ""},
	{"invalid/chunked_09", chunkedPost("5\r\nhello\r\n0 \r\n\r\n"), "400", ""},
	{"invalid/chunked_10", chunkedPost("5\r\nhello\r\n 0\r\n\r\n"), "400", ""},
	{"invalid/chunked_11", chunkedPost("5\n;\r\nhello\r\n0\r\n\r\n"), "400", ""},
	{"invalid/chunked_12", chunkedPost(" ;foo=bar\r\nhello\r\n0\r\n\r\n"), "400", ""},
	{"invalid/chunked_13", chunkedPost("\r\nhello\r\n0\r\n\r\n"), "400", ""},
	{"invalid/chunked_14", chunkedPost("5;ext=val\rue\r\nhello\r\n0\r\n\r\n"), "400", ""},
	{"invalid/field_value", "GET / HTTP/1.1\r\nHost: x\r\nNewline: a\nContent-Length: 26\r\nGET / HTTP/1.1\nHost: x\r\n\r\n", "400", ""},
	{"invalid/nonascii_01", "GET\xc3\x9f / HTTP/1.1\r\nContent-Length: 3\r\n\r\n", "400", ""},
	{"invalid/nonascii_03", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length\xc3\x9f: 3\r\nContent-Length: 3\r\n\r\n", "400", ""},
	{"invalid/obs_fold", "GET / HTTP/1.1\r\nLong: one\r\n two\r\nHost: a\r\n\r\n", "400", ""},
	{"invalid/pp_01", "PROXY TCP4 127.0.0.1 127.0...\r\n", "cut", ""},
	{"invalid/pp_02", "PROXY TCP4 127.0.0.1 127.0.0.2 65iii 100000\r\n\r\n", "400", ""},
	{"invalid/prefix_01", "GET\x00PROXY /foo HTTP/1.1\r\n\r\n", "400", ""},
	{"invalid/prefix_03", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0 1\r\n\r\nx", "400", ""},
	{"invalid/prefix_05", "GET: / HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz", "400", ""},
	{"invalid/prefix_06", "GET / HTTP/" + strings.Repeat("1", 90) + ".1\r\nContent-Length: 7\r\n\r\nOld Man", "400", ""},
	{"invalid/ctl_bel", "GET / HTTP/1.1\r\nHost: a\r\nX: plain\ainjected\r\n\r\n", "400", ""},
	{"invalid/ctl_del", "GET / HTTP/1.1\r\nHost: a\r\nX: plain\x7finjected\r\n\r\n", "400", ""},
	{"invalid/trailer_cl", chunkedPost("5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n"), `POST/="hello"`, ""}, // dropped, RFC 9110 section 6.5.1
	{"invalid/missing_final_crlf", chunkedPost("0\r\n"), "cut", ""},
	{"invalid/size_minus_sign", chunkedPost("-5\r\nhello\r\n0\r\n\r\n"), "400", ""},
	{"invalid/size_plus_sign", chunkedPost("+5\r\nhello\r\n0\r\n\r\n"), "400", ""},
	{"invalid/cl_list_form", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", "400", ""},
	{"invalid/cl_te_chunked", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{"invalid/target_asterisk", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""},
	{"invalid/target_authority", "GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "400", ""},
	{"invalid/target_relative", "GET foo/bar HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""},
	{"invalid/version_01", "GET /foo HTTP/0.99\r\n\r\n", "400", ""},
	{"invalid/version_02", "GET /foo HTTP/2.0\r\n\r\n", "505", ""},

	{"valid/001", "PUT /x?y=z HTTP/1.0\r\nServer: s\r\nContent-Length: 14\r\n\r\n{\"nom\": \"nom\"}", `PUT/x?y=z="{\"nom\": \"nom\"}"`, ""},
	{"valid/002", "GET /test HTTP/1.1\r\nHost: 0.0.0.0=5000\r\n\r\n", "400", "no such host"},
	{"valid/004", "GET /silly HTTP/1.1\r\nHost: a\r\naaaaaaaaaaaaa:++++++++++\r\n\r\n", `GET/silly=""`, ""},
	{"valid/005", "GET /x?page=1#posts HTTP/1.1\r\nHost: a\r\n\r\n", "400", "a target has no fragment"},
	{"valid/006", "GET /world HTTP/1.1\r\n\r\n", "400", "Host is required"},
	{"valid/008", "GET / HTTP/1.0\r\nconTENT-Length: 5\r\n\r\nHELLO", `GET/="HELLO"`, ""},
	{"valid/009", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nWorld", "400", "two framings"},
	{"valid/010", chunkedPost("1e\r\nall your base are belong to us\r\n0\r\n\r\n"), `POST/="all your base are belong to us"`, ""},
	{"valid/011", chunkedPost("5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n"), `POST/="hello world"`, ""},
	{"valid/012", chunkedPost("5\r\nhello\r\n0\r\nVary: *\r\nContent-Type: text/plain\r\n\r\n"), `POST/="hello"`, ""},
	{"valid/013", chunkedPost("5; some; parameters=stuff\r\nhello\r\n6; blah; blah\r\n world\r\n0\r\n\r\n"), `POST/="hello world"`, ""},
	{"valid/014", "GET /with_\"quotes\"?foo=\"bar\" HTTP/1.1\r\nHost: a\r\n\r\n", `GET/with_"quotes"?foo="bar"=""`, ""},
	{"valid/018", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", `GET/1="" GET/2=""`, ""},
	{"valid/019", "GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", `GET/1=""`, ""},
	{"valid/020", "GET /1 HTTP/1.0\r\nContent-Length: 24\r\n\r\nGET /second HTTP/1.1\r\n\r\n", `GET/1="GET /second HTTP/1.1\r\n\r\n"`, ""},
	{"valid/021", "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", `GET/1=""`, ""},
	{"valid/022", "GET /1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", `GET/1="" GET/2=""`, ""},
	{"valid/023", chunkedPost("5\r\nhello\r\n000\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"), `POST/="hello" GET/2=""`, ""},
	{"valid/025", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", "501", "gzip is not undone here"},
	{"valid/027", "GET /\xc3\xa0%20k HTTP/1.0\r\n\r\n", "GET/\xc3\xa0%20k=\"\"", ""},
	{"valid/029", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "501", "identity is no coding any more"},
	{"valid/100", "GET ///slashes HTTP/1.1\r\nHost: a\r\n\r\n", `GET///slashes=""`, ""},
	{"valid/padding_01", "GET / HTTP/1.1\r\nHost: a\r\nName: \t value \t \r\n\r\n", `GET/=""`, ""},
	{"valid/pp_04", "\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0cGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400", "the PROXY protocol is for those in front"},
	{"valid/get_cl_nonzero", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", `GET/="hello"`, ""},
	{"valid/http10_cl", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", `POST/="hello"`, ""},
	{"valid/special_chars", "GET / HTTP/1.1\r\nHost: a\r\nX.Custom|Pipe: ok\r\n\r\n", `GET/=""`, ""},
	{"valid/ext_quoted", chunkedPost("5;foo=\"bar baz\"\r\nhello\r\n0\r\n\r\n"), `POST/="hello"`, ""},
	{"valid/leading_zeros", chunkedPost("0005\r\nhello\r\n0\r\n\r\n"), `POST/="hello"`, ""},
	{"valid/uppercase_hex", chunkedPost("A\r\n0123456789\r\n0\r\n\r\n"), `POST/="0123456789"`, ""},
	{"valid/target_absolute", "GET http://a/foo?q=1 HTTP/1.1\r\nHost: a\r\n\r\n", `GEThttp://a/foo?q=1=""`, ""},
	{"valid/target_absolute_userinfo", "GET http://u:p@a:8080/ HTTP/1.1\r\nHost: a:8080\r\n\r\n", "400", "RFC 9110, section 4.2.4"},
	{"valid/target_authority_connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", `CONNECTa:443=""`, ""},
}

func chunkedPost(body string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

func TestGunicornCases(t *testing.T) {
	for _, c := range gunicornCases {
		for _, step := range []int{1, 2, 7, len(c.in)} {
			if got := conversation(c.in, step); got != c.want {
				t.Errorf("%s, %d bytes at a time: got %s, want %s", c.name, step, got, c.want)
			}
		}
	}
}

// What other parsers have been fooled by: found with the HTTP Garden, in
// llhttp's and HAProxy's tests.
func TestKnownDesyncs(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{chunkedPost("0_2e\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"), "400"},
		{chunkedPost("2\r\r;a\r\n02\r\n41\r\n0\r\n\r\n"), "400"},
		{chunkedPost("Z\r\nZZ\r\n\r\n"), "400"},
		{chunkedPost("0\n\r\n"), "400"},
		{chunkedPost("2 erfrf\r\naa\r\n0 rrrr\r\n\r\n"), "400"},
		{chunkedPost("2;\n\r\nxx\r\n0\r\n\r\n"), "400"},
		{chunkedPost("1\r\nZ\r\nQ\r\n"), "400"},
		{chunkedPost("3\r\nabcX\r\n0\r\n\r\n"), "400"},
		{chunkedPost("0\r\n\r\nX"), `POST/="" cut`},
		{chunkedPost("0\r\nX : y\r\n\r\n"), "400"},
		{chunkedPost("0\r\nX\x00: y\r\n\r\n"), "400"},
		{chunkedPost("0\r\nGET / HTTP/1.1\r\n\r\n"), "400"},
		{chunkedPost("0\r\n X: y\r\n\r\n"), "400"},
		{chunkedPost("0x1\r\nZ\r\n0\r\n\r\n"), "400"},
		{chunkedPost("ffffffffffffffff\r\nZ\r\n0\r\n\r\n"), "400"},
		{chunkedPost("00000000000000001\r\nZ\r\n0\r\n\r\n"), "400"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHeader: v\n\x00\ralue\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\n\tContent-Length: 1\r\n\r\nX", "400"},
		{"GET /test HTTP/1.32\r\n\r\n", "400"},
		{"G=\":<>(e),[T];?\" /get HTTP/1.1\r\n\r\n", "400"},
		{"GET ! HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\n\xffoo: bar\r\n\r\n", "400"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\nZ", "400"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4 2\r\n\r\n", "400"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 \x00\r\n\r\nZ", "400"},
		{"POST / HTTP/1.1\r\nHost: a\r\n\x00Content-Length: 1\r\n\r\nZ", "400"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\nContent-Length: 5\r\n\r\nhello", "400"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nTransfer-Encoding:\r\n\r\n2\r\nAA\r\n0\r\n\r\n", "400"},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: pigeons\r\n\r\n", "501"},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\xa0\r\n\r\n", "400"},
		{"GET /music ICE/1.0\r\nHost: a\r\n\r\n", "400"},
		{"GET /music IHTTP/1.0\r\nHost: a\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nname\r\n : value\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection\r\x1b\x35\xd5eep-Alive\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "400"},
		{"GET / HTTP/1.1\rHost: a\r\r", "400"},
		{"OPTIONS */test HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", `OPTIONShttp://a=""`},
		{"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"GET http://a:80/ HTTP/1.1\r\nHost: a:81\r\n\r\n", "400"},
		{"GET http://: HTTP/1.1\r\nHost: :\r\n\r\n", "400"},
		{"CONNECT a:80 HTTP/1.1\r\nHost: a:443\r\n\r\n", "400"},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"},
	} {
		for _, step := range []int{1, 3, len(c.in)} {
			if got := conversation(c.in, step); got != c.want {
				t.Errorf("%q, %d bytes at a time: got %s, want %s", c.in, step, got, c.want)
			}
		}
	}
}
