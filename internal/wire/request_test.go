package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/wire"
)

const hostLine = "Host: a\r\n"

// refused says that Parse must answer with the given status.
func refused(t *testing.T, block string, l wire.Limits, status int) *wire.Error {
	t.Helper()
	var r wire.Request
	err := r.Parse(block, l)
	var refusal *wire.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("%.80q: got %v, want status %d", block, err, status)
	}
	if refusal.Status != status {
		t.Fatalf("%.80q: got %d (%v), want %d", block, refusal.Status, err, status)
	}
	if refusal.Reason == "" || len(err.Error()) > 400 {
		t.Fatalf("%.80q: the error is %q", block, err)
	}
	return refusal
}

// What could be read in two ways is refused.
func TestRequestIsRefused(t *testing.T) {
	get := func(fields string) string { return "GET / HTTP/1.1\r\n" + hostLine + fields + "\r\n" }
	post := func(fields string) string { return "POST / HTTP/1.1\r\n" + hostLine + fields + "\r\n" }
	host := func(value string) string { return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n" }
	line := func(line string) string { return line + "\r\n" + hostLine + "\r\n" }
	for name, c := range map[string]struct {
		block  string
		status int
	}{
		"no Host":                     {"GET / HTTP/1.1\r\n\r\n", 400},
		"two Hosts":                   {get("Host: b\r\n"), 400},
		"two equal Hosts":             {get("Host: a\r\n"), 400},
		"empty Host":                  {host(""), 400},
		"empty Host on 1.0":           {"GET / HTTP/1.0\r\nHost:\r\n\r\n", 400},
		"host with path and user":     {host("a/b@c"), 400},
		"host with a blank":           {host("a b"), 400},
		"host with a comma":           {host("a,b"), 400},
		"host cut in a bracket":       {host("[::1"), 400},
		"host with a large port":      {host("a:99999"), 400},
		"host with port 0":            {host("a:0"), 400},
		"host with two ports":         {host("a:1:2"), 400},
		"host with a signed port":     {host("a:+1"), 400},
		"host with a zone":            {host("[fe80::1%25eth0]"), 400},
		"host that is IPv4 in []":     {host("[127.0.0.1]"), 400},
		"host with bytes behind ]":    {host("[::1]x"), 400},
		"host that is a port":         {host(":80"), 400},
		"host that is a dot":          {host("."), 400},
		"host with an empty label":    {host("a..b"), 400},
		"host with a long label":      {host(strings.Repeat("a", 64)), 400},
		"host beyond 253 bytes":       {host(strings.Repeat("a.", 127) + "a"), 400},
		"host with an escape":         {host("a%2eb"), 400},
		"host with a wide letter":     {host("b\xfccher"), 400},
		"host with an equals sign":    {host("0.0.0.0=5000"), 400},
		"length and coding":           {post("Content-Length: 35\r\nTransfer-Encoding: chunked\r\n"), 400},
		"coding and length":           {post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400},
		"identity and length":         {post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"), 400},
		"two lengths":                 {post("Content-Length: 3\r\nContent-Length: 2\r\n"), 400},
		"two equal lengths":           {post("Content-Length: 3\r\nContent-Length: 3\r\n"), 400},
		"two lengths, the first 0":    {post("Content-Length: 0\r\nContent-Length: 3\r\n"), 400},
		"listed lengths":              {post("Content-Length: 3, 3\r\n"), 400},
		"length with a plus":          {post("Content-Length: +3\r\n"), 400},
		"length with a minus":         {post("Content-Length: -0\r\n"), 400},
		"hexadecimal length":          {post("Content-Length: 0x3\r\n"), 400},
		"length with a line":          {post("Content-Length: 0_1\r\n"), 400},
		"empty length":                {post("Content-Length:\r\n"), 400},
		"length with a blank":         {post("Content-Length: 3 1\r\n"), 400},
		"length with a dot":           {post("Content-Length: 3.0\r\n"), 400},
		"overflowing length":          {post("Content-Length: 18446744073709551617\r\n"), 400},
		"length of 19 digits":         {post("Content-Length: 1000000000000000000\r\n"), 400},
		"xchunked":                    {post("Transfer-Encoding: xchunked\r\n"), 501},
		"identity":                    {post("Transfer-Encoding: identity\r\n"), 501},
		"gzip":                        {post("Transfer-Encoding: gzip\r\n"), 501},
		"gzip, chunked":               {post("Transfer-Encoding: gzip, chunked\r\n"), 501},
		"gzip, chunked in lines":      {post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501},
		"gzip with a parameter":       {post("Transfer-Encoding: gzip;q=1, chunked\r\n"), 501},
		"chunked, identity":           {post("Transfer-Encoding: chunked, identity\r\n"), 400},
		"chunked, gzip in lines":      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), 400},
		"chunked, chunked":            {post("Transfer-Encoding: chunked, chunked\r\n"), 400},
		"chunked twice in lines":      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
		"gzip, chunked, gzip":         {post("Transfer-Encoding: gzip, chunked, gzip\r\n"), 400},
		"quoted chunked":              {post("Transfer-Encoding: \"chunked\"\r\n"), 400},
		"chunked with a parameter":    {post("Transfer-Encoding: chunked;x\r\n"), 400},
		"chunked with an empty one":   {post("Transfer-Encoding: chunked;\r\n"), 400},
		"chunked after a tab byte":    {post("Transfer-Encoding: \vchunked\r\n"), 400},
		"chunked and a comma":         {post("Transfer-Encoding: chunked,\r\n"), 400},
		"a comma and chunked":         {post("Transfer-Encoding: ,chunked\r\n"), 400},
		"only a comma":                {post("Transfer-Encoding: ,\r\n"), 400},
		"chunked in two words":        {post("Transfer-Encoding: chun ked\r\n"), 400},
		"empty coding":                {post("Transfer-Encoding:\r\n"), 400},
		"empty coding, then chunked":  {post("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"), 400},
		"a letter that folds to k":    {post("Transfer-Encoding: chun\xe2\x84\xaaed\r\n"), 400},
		"coding on 1.0":               {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"folded line":                 {get("X: 1\r\n y\r\n"), 400},
		"folded with a tab":           {get("X: 1\r\n\ty\r\n"), 400},
		"fold before any field":       {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
		"bare LF lines":               {"GET / HTTP/1.1\nHost: a\n\n", 400},
		"a bare LF line":              {get("X: 1\nY: 2\r\n"), 400},
		"a bare LF at the end":        {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
		"bare CR in a value":          {get("X: a\rb\r\n"), 400},
		"CR CR LF":                    {get("X: a\r\r\n"), 400},
		"NUL in a value":              {get("X: a\x00b\r\n"), 400},
		"BEL in a value":              {get("X: a\x07b\r\n"), 400},
		"DEL in a value":              {get("X: a\x7fb\r\n"), 400},
		"NUL in a name":               {get("X\x00Y: a\r\n"), 400},
		"blank before the colon":      {get("X : a\r\n"), 400},
		"tab before the colon":        {get("X\t: a\r\n"), 400},
		"blank inside a name":         {get("X Y: a\r\n"), 400},
		"no colon":                    {get("X\r\n"), 400},
		"empty name":                  {get(": a\r\n"), 400},
		"parenthesis in a name":       {get("X(Y: a\r\n"), 400},
		"byte above 0x7f in a name":   {get("X\xff: a\r\n"), 400},
		"at sign in a name":           {get("X@Y: a\r\n"), 400},
		"HTTP/2.0":                    {line("GET / HTTP/2.0"), 505},
		"the preface of HTTP/2":       {"PRI * HTTP/2.0\r\n\r\n", 505},
		"HTTP/1.2":                    {line("GET / HTTP/1.2"), 505},
		"HTTP/3.0":                    {line("GET / HTTP/3.0"), 505},
		"HTTP/1.11":                   {line("GET / HTTP/1.11"), 400},
		"HTTP/11.1":                   {line("GET / HTTP/11.1"), 400},
		"HTTP/1":                      {line("GET / HTTP/1"), 400},
		"HTTP/1,1":                    {line("GET / HTTP/1,1"), 400},
		"HTTP/0.9":                    {line("GET / HTTP/0.9"), 400},
		"http/1.1":                    {line("GET / http/1.1"), 400},
		"FTP/1.1":                     {line("GET / FTP/1.1"), 400},
		"HTTP/+.1":                    {line("GET / HTTP/+.1"), 400},
		"HTTP/1.x":                    {line("GET / HTTP/1.x"), 400},
		"no version":                  {line("GET /"), 400},
		"an empty version":            {line("GET / "), 400},
		"no target":                   {line("GET HTTP/1.1"), 400},
		"only a method":               {line("GET"), 400},
		"empty line before":           {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"LF before":                   {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"blank before":                {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"two blanks":                  {line("GET  / HTTP/1.1"), 400},
		"two blanks after the target": {line("GET /  HTTP/1.1"), 400},
		"tab":                         {line("GET\t/ HTTP/1.1"), 400},
		"tab after the target":        {line("GET /\tHTTP/1.1"), 400},
		"trailing blank":              {line("GET / HTTP/1.1 "), 400},
		"trailing tab":                {line("GET / HTTP/1.1\t"), 400},
		"method with a colon":         {line("GET: / HTTP/1.1"), 400},
		"method with NUL":             {line("GET\x00 / HTTP/1.1"), 400},
		"method above 0x7f":           {line("GET\xff / HTTP/1.1"), 400},
		"method with a quote":         {line("G\"T / HTTP/1.1"), 400},
		"long method":                 {line(strings.Repeat("A", 65) + " / HTTP/1.1"), 501},
		"fragment":                    {line("GET /admin#frag HTTP/1.1"), 400},
		"target with NUL":             {line("GET /a\x00 HTTP/1.1"), 400},
		"target with DEL":             {line("GET /a\x7f HTTP/1.1"), 400},
		"target with a blank":         {line("GET /a b HTTP/1.1"), 400},
		"GET *":                       {line("GET * HTTP/1.1"), 400},
		"OPTIONS */x":                 {line("OPTIONS */x HTTP/1.1"), 400},
		"relative target":             {line("GET foo/bar HTTP/1.1"), 400},
		"word as target":              {line("GET admin HTTP/1.1"), 400},
		"query as target":             {line("GET ?x HTTP/1.1"), 400},
		"authority with GET":          {line("GET a:443 HTTP/1.1"), 400},
		"other scheme":                {line("GET ftp://a/ HTTP/1.1"), 400},
		"scheme without authority":    {line("GET http:///x HTTP/1.1"), 400},
		"scheme alone":                {line("GET http:// HTTP/1.1"), 400},
		"scheme with one slash":       {line("GET http:/a HTTP/1.1"), 400},
		"user information":            {line("GET http://u:p@a/ HTTP/1.1"), 400},
		"empty user information":      {line("GET http://@a/ HTTP/1.1"), 400},
		"other host":                  {line("GET http://b/ HTTP/1.1"), 400},
		"other port":                  {line("GET http://a:80/ HTTP/1.1"), 400},
		"host cut by a backslash":     {line("GET http://a\\@b/ HTTP/1.1"), 400},
		"invalid host in the target":  {"GET http://a:x/ HTTP/1.1\r\nHost: a:x\r\n\r\n", 400},
		"CONNECT with a path":         {line("CONNECT / HTTP/1.1"), 400},
		"CONNECT without a port":      {line("CONNECT a HTTP/1.1"), 400},
		"CONNECT with an empty port":  {line("CONNECT a: HTTP/1.1"), 400},
		"CONNECT with a URL":          {line("CONNECT http://a:80 HTTP/1.1"), 400},
		"CONNECT for another host":    {line("CONNECT b:80 HTTP/1.1"), 400},
		"option that is no token":     {get("Connection: close foo\r\n"), 400},
		"two Content-Types":           {post("Content-Type: a/b\r\nContent-Type: c/d\r\n"), 400},
		"two Authorizations":          {get("Authorization: Basic a\r\nauthorization: Basic b\r\n"), 400},
		"PROXY protocol":              {"PROXY TCP4 127.0.0.1 127.0.0.1 56324 443\r\n\r\n", 400},
		"nothing":                     {"", 400},
		"an empty line alone":         {"\r\n", 400},
		"no empty line":               {"GET / HTTP/1.1\r\nHost: a\r\n", 400},
		"cut in a line":               {"GET / HTTP/1.1\r\nHost: a", 400},
		"cut after CR":                {"GET / HTTP/1.1\r\nHost: a\r\n\r", 400},
		"cut in the request line":     {"GET / HT", 400},
		"bytes behind":                {"GET / HTTP/1.1\r\nHost: a\r\n\r\nx", 400},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.block, wire.Limits{}, c.status) })
	}
}

func TestRequestLimits(t *testing.T) {
	block := "GET /0123456789 HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n"
	var r wire.Request
	if err := r.Parse(block, wire.Limits{MaxHead: len(block), MaxTarget: 11, MaxFields: 2}); err != nil {
		t.Error("at the limits:", err)
	}
	refused(t, block, wire.Limits{MaxHead: len(block) - 1}, 431)
	refused(t, block, wire.Limits{MaxTarget: 10}, 414)
	refused(t, block, wire.Limits{MaxFields: 1}, 431)
}

// The meaning of what is accepted, as text.
func meaning(r *wire.Request) string {
	s := fmt.Sprintf("%s %s 1.%d host=%s length=%d", r.Method, r.Target, r.Minor, r.Host, r.Length)
	for _, f := range []struct {
		name string
		on   bool
	}{{"close", r.Close}, {"keep-alive", r.KeepAlive}, {"upgrade", r.Upgrade}, {"trailer", r.Trailer}} {
		if f.on {
			s += " " + f.name
		}
	}
	if r.Expect != "" {
		s += " expect=" + r.Expect
	}
	return s
}

func TestRequestIsUnderstood(t *testing.T) {
	get := func(fields string) string { return "GET / HTTP/1.1\r\n" + hostLine + fields + "\r\n" }
	line := func(line string) string { return line + "\r\n" + hostLine + "\r\n" }
	for _, c := range []struct{ block, want string }{
		{get(""), "GET / 1.1 host=a length=0"},
		{"GET / HTTP/1.0\r\n\r\n", "GET / 1.0 host= length=0"},
		{"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0 host=a length=0 keep-alive"},
		{"GET / HTTP/1.1\r\nHost:A.Example.:8080\r\n\r\n", "GET / 1.1 host=A.Example.:8080 length=0"},
		{"GET / HTTP/1.1\r\nHost: \t[::1]:80 \t\r\n\r\n", "GET / 1.1 host=[::1]:80 length=0"},
		{"GET / HTTP/1.1\r\nhost: my_app:\r\n\r\n", "GET / 1.1 host=my_app: length=0"},
		{get("Content-Length: 5\r\n"), "GET / 1.1 host=a length=5"},
		{get("conTENT-length: 007\r\n"), "GET / 1.1 host=a length=7"},
		{get("Content-Length: 999999999999999999\r\n"), "GET / 1.1 host=a length=999999999999999999"},
		{get("Transfer-Encoding: chunked\r\n"), "GET / 1.1 host=a length=-1"},
		{get("transfer-ENCODING: \tCHUNKED \r\n"), "GET / 1.1 host=a length=-1"},
		{get("Transfer_Encoding: gzip\r\nContent_Length: -1\r\nContent-Length: 7\r\n"), "GET / 1.1 host=a length=7"},
		{get("Connection: close\r\n"), "GET / 1.1 host=a length=0 close"},
		{get("Connection: Close , x-hop,,keep-alive\r\n"), "GET / 1.1 host=a length=0 close keep-alive"},
		{get("Connection:\r\n"), "GET / 1.1 host=a length=0"},
		{get("Connection: Upgrade\r\nConnection: close\r\nUpgrade: websocket\r\n"), "GET / 1.1 host=a length=0 close upgrade"},
		{get("Upgrade: websocket\r\n"), "GET / 1.1 host=a length=0"},
		{get("Connection: upgrade\r\n"), "GET / 1.1 host=a length=0"},
		{"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "GET / 1.0 host= length=0"},
		{get("Expect: 100-Continue\r\n"), "GET / 1.1 host=a length=0 expect=100-continue"},
		{get("Expect: 100-continue\r\nExpect: 100-continue\r\n"), "GET / 1.1 host=a length=0 expect=100-continue"},
		{get("Expect: foo\r\nExpect: 100-continue\r\n"), "GET / 1.1 host=a length=0 expect=foo"},
		{get("Expect: 100-continue, Foo\r\n"), "GET / 1.1 host=a length=0 expect=100-continue, Foo"},
		{get("Expect:\r\n"), "GET / 1.1 host=a length=0"},
		{"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "POST / 1.0 host= length=1"},
		{get("Trailer: X-Sum\r\n"), "GET / 1.1 host=a length=0 trailer"},
		{line("get / HTTP/1.1"), "get / 1.1 host=a length=0"},
		{line("!#$%&'*+-.^_`|~ / HTTP/1.1"), "!#$%&'*+-.^_`|~ / 1.1 host=a length=0"},
		{line("OPTIONS * HTTP/1.1"), "OPTIONS * 1.1 host=a length=0"},
		{line("GET http://A/x?y HTTP/1.1"), "GET http://A/x?y 1.1 host=A length=0"},
		{line("GET HTTPS://a?y HTTP/1.1"), "GET HTTPS://a?y 1.1 host=a length=0"},
		{"GET http://b:80 HTTP/1.0\r\n\r\n", "GET http://b:80 1.0 host=b:80 length=0"},
		{"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", "CONNECT [::1]:443 1.1 host=[::1]:443 length=0"},
		{line("CONNECT a:443 HTTP/1.1"), "CONNECT a:443 1.1 host=a:443 length=0"},
		{line("GET /a|b{c}[d]^`\"\\'<>?e|f{g}\"h\"^`\\ HTTP/1.1"), "GET /a|b{c}[d]^`\"\\'<>?e|f{g}\"h\"^`\\ 1.1 host=a length=0"},
		{line("GET //x/../%zz\xe9 HTTP/1.1"), "GET //x/../%zz\xe9 1.1 host=a length=0"},
	} {
		var r wire.Request
		if err := r.Parse(c.block, wire.Limits{}); err != nil {
			t.Errorf("%q: %v", c.block, err)
		} else if got := meaning(&r); got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.block, got, c.want)
		}
	}
}

func TestFieldsOfARequest(t *testing.T) {
	var r wire.Request
	block := "GET / HTTP/1.1\r\nHOST: a\r\nx.y|z:1\r\nX-Blank:\r\nX-Tabs:\t a\t b\t \r\nX-Text: caf\xe9\r\nset-cookie: a\r\nSet-Cookie: b\r\n\r\n"
	want := `[{"Host" "a"} {"X.y|z" "1"} {"X-Blank" ""} {"X-Tabs" "a\t b"} {"X-Text" "caf\xe9"} {"Set-Cookie" "a"} {"Set-Cookie" "b"}]`
	for range 2 {
		if err := r.Parse(block, wire.Limits{}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%q", r.Fields); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if err := r.Parse("GET / HTTP/1.1\r\n", wire.Limits{}); err == nil || r.HasHost || r.Host != "" {
		t.Errorf("after a failure: %v, %+v", err, r)
	}
}

func TestRequestCostsNoAllocation(t *testing.T) {
	for _, head := range []string{wrkHead, browserHead, strings.ReplaceAll(browserHead, "User-Agent", "user-agent")} {
		var r wire.Request
		if n := testing.AllocsPerRun(100, func() {
			if err := r.Parse(head, wire.Limits{}); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// What a log shows of a client's bytes is short.
func TestErrorQuotesLittle(t *testing.T) {
	err := refused(t, "GET / HTTP/1.1\r\nHost: "+strings.Repeat("\x80", 4000)+"\r\n\r\n", wire.Limits{}, 400)
	if got := err.Error(); len(got) > 250 || !strings.Contains(got, "RFC 9110, section 7.2") {
		t.Errorf("got %q", got)
	}
	if got := err.ClientMessage(); strings.Contains(got, "x80") || got == "" || err.HTTPStatus() != 400 {
		t.Errorf("got %q", got)
	}
}
