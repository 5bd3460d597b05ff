package logtext_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/mountd/mountd/internal/logtext"
)

func TestAppend(t *testing.T) {
	tests := []struct{ in, json, ascii, plain string }{
		{"plain text", "plain text", "plain text", "plain text"},
		{"a\"b\\c", `a\"b\\c`, `a\"b\\c`, `a"b\c`},
		{"\r\n\t\x00\x7f", `\r\n\t\u0000\u007f`, `\x0d\x0a\x09\x00\x7f`, `\x0d\x0a\x09\x00\x7f`},
		{"é", "é", `\xc3\xa9`, "é"},
		{"\x1b[2J", `\u001b[2J`, `\x1b[2J`, `\x1b[2J`},
		{"\u009b1m", `\u009b1m`, `\xc2\x9b1m`, `\u{009b}1m`},
		{"\u202e\u2028", `\u202e\u2028`, `\xe2\x80\xae\xe2\x80\xa8`, `\u{202e}\u{2028}`},
		{"a\xffb", `a\ufffdb`, `a\xffb`, `a\xffb`},
		{"\ufffd😀", "\ufffd😀", `\xef\xbf\xbd\xf0\x9f\x98\x80`, "\ufffd😀"},
	}
	for _, tt := range tests {
		for style, want := range map[logtext.Style]string{logtext.JSON: tt.json, logtext.ASCII: tt.ascii, logtext.Plain: tt.plain} {
			if got := string(logtext.Append(nil, tt.in, style)); got != want {
				t.Errorf("%q in style %d: %q, want %q", tt.in, style, got, want)
			}
		}
	}
}

func TestQueriesAreRedacted(t *testing.T) {
	r := logtext.NewRedactor([]string{"token", "key", "api_id"})
	tests := []struct{ name, in, want string }{
		{"nothing to hide", "a=1&b=2", "a=1&b=2"},
		{"plain", "a=1&token=x&b", "a=1&token=REDACTED&b"},
		{"any case", "TOKEN=x&Key=y", "TOKEN=REDACTED&Key=REDACTED"},
		{"percent-encoded", "%74oke%6E=x", "%74oke%6E=REDACTED"},
		{"a word of the name", "access_token=x&api-key=y&user[token]=z", "access_token=REDACTED&api-key=REDACTED&user[token]=REDACTED"},
		{"an encoded bracket", "user%5Btoken%5D=z", "user%5Btoken%5D=REDACTED"},
		{"a listed name of two words", "API_ID=1&a[api_id]=2", "API_ID=REDACTED&a[api_id]=REDACTED"},
		{"a longer word stays", "monkey=1&tokens=2", "monkey=1&tokens=2"},
		{"semicolons part too", "a=1;token=x", "a=1;token=REDACTED"},
		{"a value with = in it", "token=a=b==", "token=REDACTED"},
		{"no value", "token", "token"},
		{"a broken escape", "%zz=1&token%=2", "%zz=1&token%=REDACTED"},
		{"an address to return to", "to=%2Fsite%2Fx%3Ftoken%3DSECRET&b=1", "to=REDACTED&b=1"},
		{"one that is encoded twice", "to=%252Fx%253Fa%253D1%2526access_token%253DSECRET", "to=REDACTED"},
		{"one that is not encoded", "to=/x?a=1?token=SECRET", "to=REDACTED"},
		{"one with an encoded name", "to=%2Fx%3F%2574oken%3dSECRET", "to=REDACTED"},
		{"one behind another", "to=%2Flogin%3Fto%3D%252Fx%253Ftoken%253DSECRET", "to=REDACTED"},
		{"one that is the whole query", "%2Fx%3Ftoken%3DSECRET&a=1", "REDACTED&a=1"},
		{"a query in a name", "a%26token%3DSECRET=1", "REDACTED"},
		{"encoded too often to look into", "to=a%252525252525b", "to=REDACTED"},
		{"an address without secrets", "to=%2Fsite%2Fx%3Fmonkey%3D1%26b%3D100%2525", "to=%2Fsite%2Fx%3Fmonkey%3D1%26b%3D100%2525"},
		{"a long address", "to=" + strings.Repeat("%2Fa", 500) + "%3Ftoken%3DSECRET", "to=REDACTED"},
		{"values with = in them", "a=b=c&d=e==", "a=b=c&d=e=="},
		{"parameters of logins elsewhere", "code=1&state=2", "code=1&state=2"},
		{"a name too long to look at", strings.Repeat("a", 200) + "=1", strings.Repeat("a", 200) + "=REDACTED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(r.AppendQuery(nil, tt.in, logtext.ASCII)); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestTextsAreRedacted(t *testing.T) {
	r := logtext.NewRedactor([]string{"token"})
	for in, want := range map[string]string{
		`Get "http://a/?token=x": refused; why? token=y`: `Get "http://a/?token=REDACTED": refused; why? token=y`,
		"http://a/?a=1&token=x#top?token=y":              "http://a/?a=1&token=REDACTED#top?token=REDACTED",
		"?":                                              "?",
		"no query":                                       "no query",
	} {
		if got := r.Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestQueriesOfLogins(t *testing.T) {
	const query = "code=a&state=b&id_token_hint=c&access_token=d&to=%2Fx%3Fcode%3De&plain=f"
	for _, tt := range []struct {
		fact   string
		names  []string
		path   string
		target string
	}{
		{"with names", []string{"plain"}, "/.mountd/oidc", "?code=REDACTED&state=REDACTED&id_token_hint=REDACTED&access_token=REDACTED&to=REDACTED&plain=REDACTED"},
		{"without", nil, "/.mountd/oidc", "?code=REDACTED&state=REDACTED&id_token_hint=REDACTED&access_token=REDACTED&to=REDACTED&plain=f"},
		{"elsewhere", nil, "/x/.mountd", "?" + query},
	} {
		r := logtext.NewRedactor(tt.names)
		if got := string(r.AppendTarget(nil, tt.path, query, logtext.Plain)); got != tt.target {
			t.Errorf("%s: %q, want %q", tt.fact, got, tt.target)
		}
		url := "https://example.com" + tt.path
		if got := r.Text(url + "?" + query); got != url+tt.target {
			t.Errorf("%s, as a text: %q, want %q", tt.fact, got, url+tt.target)
		}
	}
	var none logtext.Redactor
	if got := string(none.AppendTarget(nil, "/.mountd/oidc", "code=a&token=b", logtext.Plain)); got != "?code=REDACTED&token=b" {
		t.Errorf("the zero value: %q", got)
	}
}

func TestRedactingAllocatesNothing(t *testing.T) {
	r := logtext.NewRedactor([]string{"token", "key", "password"})
	b := make([]byte, 0, 1024)
	for _, query := range []string{"", "plain", "a=1&token=x&b=a=b", "to=%2Fsite%2Fx%3Fa%3D1"} {
		if n := testing.AllocsPerRun(100, func() {
			r.AppendTarget(b, "/.mountd/login", query, logtext.JSON)
			r.AppendText(b, query, logtext.JSON)
		}); n != 0 {
			t.Errorf("%q: %v allocations", query, n)
		}
	}
}

func FuzzNestedQueryHidesSecrets(f *testing.F) {
	f.Add("/site/x?a=1&", "&b=2", uint8(1))
	f.Add("https://example.com/%25?", "#x", uint8(2))
	f.Add("", "", uint8(6))
	r := logtext.NewRedactor([]string{"token"})
	f.Fuzz(func(t *testing.T, before, after string, times uint8) {
		if strings.Contains(before+after, "hush") {
			return
		}
		value := before + "?token=hush-hush" + after
		for range 1 + times%8 {
			value = url.QueryEscape(value)
		}
		if got := string(r.AppendQuery(nil, "to="+value, logtext.Plain)); got != "to=REDACTED" {
			t.Errorf("%q: %q", value, got)
		}
		if got := r.Text("http://example.com/?to=" + value); got != "http://example.com/?to=REDACTED" {
			t.Errorf("%q as a text: %q", value, got)
		}
	})
}

func FuzzAppend(f *testing.F) {
	f.Add("a\r\n\u202e\x9b\xff\"\\", "token")
	f.Fuzz(func(t *testing.T, s, _ string) {
		for _, style := range []logtext.Style{logtext.JSON, logtext.ASCII, logtext.Plain} {
			for _, c := range string(logtext.Append(nil, s, style)) {
				if unicode.IsControl(c) || c == 0x2028 || c == 0x202e {
					t.Errorf("%q in style %d lets %U through", s, style, c)
				}
			}
		}
		var back string
		if err := json.Unmarshal([]byte(`"`+string(logtext.Append(nil, s, logtext.JSON))+`"`), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && !strings.Contains(back, "\ufffd") {
			t.Errorf("%q: %q, %v", s, back, err)
		}
	})
}

func FuzzQueryHidesSecrets(f *testing.F) {
	f.Add("a=1&", "&b=2")
	r := logtext.NewRedactor([]string{"token"})
	f.Fuzz(func(t *testing.T, before, after string) {
		query := before + "&token=" + "hush-hush" + "&" + after
		if got := string(r.AppendQuery(nil, query, logtext.Plain)); strings.Contains(got, "hush-hush") && !strings.Contains(before+after, "hush") {
			t.Errorf("%q: %q", query, got)
		}
		if v, err := url.ParseQuery(after); err == nil && strings.Contains(string(r.AppendQuery(nil, after, logtext.Plain)), "hush-hush") && v.Get("token") == "hush-hush" {
			t.Errorf("%q", after)
		}
	})
}
