package server_test

import (
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/server"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]server.Address{
		"127.0.0.1:8080":         {Network: "tcp", Address: "127.0.0.1:8080"},
		":80":                    {Network: "tcp", Address: ":80"},
		"[::1]:0":                {Network: "tcp", Address: "[::1]:0"},
		"localhost:8080":         {Network: "tcp", Address: "localhost:8080"},
		"http://:80":             {Network: "tcp", Address: ":80", Plain: true},
		"http://127.0.0.1:8080/": {Network: "tcp", Address: "127.0.0.1:8080", Plain: true},
		"http://example.com":     {Network: "tcp", Address: "example.com:80", Plain: true},
		"http://[::1]":           {Network: "tcp", Address: "[::1]:80", Plain: true},
		"unix:/run/mountd.sock":  {Network: "unix", Address: "/run/mountd.sock"},
		"unix:mountd.sock":       {Network: "unix", Address: "mountd.sock"},
		"unix:@mountd":           {Network: "unix", Address: "@mountd"},
		"fd:http":                {Network: "fd", Address: "http"},
		"fd:3":                   {Network: "fd", Address: "3"},
	} {
		got, err := server.ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("ParseAddress(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
}

func TestParseAddressSaysWhatToWrite(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  `"127.0.0.1:8080"`,
		"8080":                              `":8080"`,
		"localhost":                         `"localhost:8080"`,
		"::1":                               `"[::1]:8080"`,
		"::1:8080:":                         "brackets",
		"https://a.example":                 `"a.example:443" and a tls section`,
		"https://a.example:84":              `"a.example:84" and a tls section`,
		"http://a/b":                        "only a host and a port",
		"/run/x.sock":                       `"unix:/run/x.sock"`,
		"unix:":                             `"unix:/run/mountd.sock"`,
		"unix:///run/x.sock":                `"unix:/run/x.sock"`,
		"fd:":                               "FileDescriptorName",
		"a:http":                            `port "http" is not a number`,
		"a:65536":                           `port "65536"`,
		"a b:80":                            `"a b" is not a host`,
		"unix:/" + strings.Repeat("x", 200): "at most",
	} {
		_, err := server.ParseAddress(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAddress(%q): %v; want a hint with %s", in, err, want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{":80", "http://[::1]", "unix:/x", "fd:a", "https://", "[", "http://[", "::1", "unix://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := server.ParseAddress(s)
		if err != nil {
			return
		}
		again, err := server.ParseAddress(a.String())
		if err != nil || again != a {
			t.Errorf("%q is written %q and read as %+v, %v; was %+v", s, a, again, err, a)
		}
	})
}
