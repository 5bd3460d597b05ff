package mountfile

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are the top-level keys of a table that do not define mounts or
// layers. What they ask for is not looked at here: that a file exists or an
// address is free is for who uses them to say.
type Settings struct {
	Listen         Listeners     `yaml:"listen" doc:"where to accept connections: host:port, :port, unix:/path, fd:name, http://host:port for one without TLS, {unix, mode, owner}, or a list of these"`
	TLS            *TLS          `yaml:"tls" doc:"speak TLS"`
	HTTP           HTTP          `yaml:"http" doc:"limits of the protocol"`
	TrustedProxies Strings       `yaml:"trusted_proxies" doc:"whose X-Forwarded-* and Forwarded to believe: addresses, CIDRs, private, unix"`
	ProxyProtocol  bool          `yaml:"proxy_protocol" doc:"connections begin with a PROXY header"`
	Watch          bool          `yaml:"watch" doc:"reload when the table or an included file changes"`
	Control        Control       `yaml:"control" doc:"private control socket: auto, off or a path"`
	User           string        `yaml:"user" doc:"user or user:group to become once the ports are open"`
	Grace          time.Duration `yaml:"grace" doc:"how long a stopping or replaced mount may finish its requests"`
	Admin          *Admin        `yaml:"admin" doc:"address of dashboard, metrics and health, or {listen, use}; off when absent"`
	Log            Log           `yaml:"log" doc:"mountd's own log"`
	Include        Strings       `yaml:"include" doc:"more files with mounts, middleware, stacks and processes; globs"`
}

// DefaultSettings gives what holds for the keys that are not written.
func DefaultSettings() Settings {
	return Settings{
		Listen: Listeners{{Address: "127.0.0.1:8080"}},
		HTTP: HTTP{
			HeaderTimeout: 10 * time.Second,
			IdleTimeout:   2 * time.Minute,
			BodyTimeout:   30 * time.Second,
			WriteTimeout:  time.Minute,
			MaxHeader:     64 << 10,
		},
		Watch:   true,
		Control: "auto",
		Grace:   10 * time.Second,
		Log:     Log{Level: "info", Format: "auto", Redact: Strings{"token", "key", "password"}},
	}
}

// TLS tells which certificates to show.
type TLS struct {
	Cert       CertificateList `yaml:"cert" doc:"PEM file of the certificate chain, or a list of {cert, key} chosen by server name"`
	Key        Path            `yaml:"key" doc:"PEM file of the private key"`
	ACME       *ACME           `yaml:"acme" doc:"get certificates from a certificate authority"`
	SelfSigned bool            `yaml:"self_signed" doc:"make a certificate at start, for trying things out"`
	ClientCA   Path            `yaml:"client_ca" doc:"PEM file of the authorities whose client certificates are accepted"`
}

// Certificates gives the pairs of files that are written.
func (t *TLS) Certificates() []Certificate {
	if t == nil {
		return nil
	}
	if t.Cert.File != "" {
		return []Certificate{{Cert: t.Cert.File, Key: t.Key}}
	}
	return t.Cert.Pairs
}

// UnmarshalOption reads the mapping and checks that it names certificates.
func (t *TLS) UnmarshalOption(decode func(v any) error) error {
	type plain TLS
	if err := decode((*plain)(t)); err != nil {
		return err
	}
	var errs []error
	if t.Cert.File != "" && t.Key == "" {
		errs = append(errs, &optionError{"cert", "needs a key beside it"})
	}
	if t.Key != "" && t.Cert.File == "" {
		errs = append(errs, &optionError{"key", "needs a cert beside it"})
	}
	ways := 0
	for _, way := range []bool{len(t.Certificates()) > 0, t.ACME != nil, t.SelfSigned} {
		if way {
			ways++
		}
	}
	if ways == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("needs cert and key, acme, or self_signed: true"))
	}
	return errors.Join(errs...)
}

// Certificate is a pair of PEM files.
type Certificate struct {
	Cert Path `yaml:"cert" doc:"PEM file of the certificate chain"`
	Key  Path `yaml:"key" doc:"PEM file of the private key"`
}

// CertificateList is one file, whose key stands beside it, or a list of pairs.
type CertificateList struct {
	File  Path
	Pairs []Certificate
}

// UnmarshalOption reads one of the two forms.
func (c *CertificateList) UnmarshalOption(decode func(v any) error) error {
	var list []Certificate
	err := decode(&list)
	if list == nil {
		return decode(&c.File)
	}
	if err != nil {
		return err
	}
	for i, pair := range list {
		if pair.Cert == "" || pair.Key == "" {
			return &optionError{fmt.Sprintf("[%d]", i), "an entry needs both cert and key"}
		}
	}
	c.Pairs = list
	return nil
}

// JSONSchema describes both forms.
func (CertificateList) JSONSchema() map[string]any {
	file := map[string]any{"type": "string"}
	pair := map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"cert", "key"},
		"properties": map[string]any{"cert": file, "key": file},
	}
	return map[string]any{"anyOf": []any{file, map[string]any{"type": "array", "items": pair}}}
}

// ACME tells how to get certificates.
type ACME struct {
	Email     string  `yaml:"email" doc:"address for notices of the authority"`
	Directory string  `yaml:"directory" doc:"URL of the authority's directory; empty: Let's Encrypt"`
	Storage   Path    `yaml:"storage" doc:"directory, or redis:// URL, that keeps account and certificates"`
	Hosts     Strings `yaml:"hosts" doc:"names to get certificates for; empty: the literal hosts of the mounts"`
}

// UnmarshalOption fills in where certificates are kept by default.
func (a *ACME) UnmarshalOption(decode func(v any) error) error {
	type plain ACME
	if a.Storage == "" {
		a.Storage = "./acme"
	}
	return decode((*plain)(a))
}

// HTTP holds limits of the protocol.
type HTTP struct {
	HeaderTimeout   time.Duration `yaml:"header_timeout" doc:"time to read a request's header"`
	IdleTimeout     time.Duration `yaml:"idle_timeout" doc:"how long a connection without a request stays open"`
	BodyTimeout     time.Duration `yaml:"body_timeout" doc:"the client sends nothing while we wait for its body"`
	WriteTimeout    time.Duration `yaml:"write_timeout" doc:"the client takes nothing while we have something to send"`
	AllowHeaders    Strings       `yaml:"allow_headers" doc:"request headers with _ or . in their names to let through"`
	MaxHeader       Bytes         `yaml:"max_header" doc:"largest header of a request"`
	RedirectToHTTPS bool          `yaml:"redirect_to_https" doc:"answer plain HTTP with a redirect"`
	HTTP3           bool          `yaml:"http3" doc:"speak HTTP/3 as well"`
}

// Log tells how mountd logs.
type Log struct {
	Level  Level   `yaml:"level" doc:"debug, info, warn or error"`
	Format Format  `yaml:"format" doc:"auto (text on a terminal, else json), text or json"`
	File   Path    `yaml:"file" doc:"file to write to; empty: standard error"`
	Redact Strings `yaml:"redact" doc:"query parameters whose values are not logged"`
}

// Admin tells where the admin pages are.
type Admin struct {
	Listen Listener
	Use    *Node // a stack of its own; nil when not written
}

// UnmarshalOption reads an address or {listen, use}.
func (a *Admin) UnmarshalOption(decode func(v any) error) error {
	var address string
	if decode(&address) == nil {
		return decode(&a.Listen)
	}
	long := struct {
		Listen Listener `yaml:"listen"`
		Use    *Node    `yaml:"use"`
	}{}
	if err := decode(&long); err != nil {
		return err
	}
	if long.Listen == (Listener{}) {
		return errors.New("needs listen, its address")
	}
	a.Listen, a.Use = long.Listen, long.Use
	return nil
}

// JSONSchema describes both forms.
func (Admin) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "string"},
		map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{"listen"},
			"properties": map[string]any{"listen": Listener{}.JSONSchema(), "use": map[string]any{"$ref": "#/$defs/stack"}},
		},
	}}
}

// Listener is one address to accept connections on. Exactly one of Address,
// Unix and FD is set.
type Listener struct {
	Address string      // host:port
	Unix    string      // path of a socket
	FD      string      // name of a socket that was handed over
	Plain   bool        // written http://: no TLS whatever the table says
	Mode    os.FileMode // of a unix socket; zero: as the umask has it
	Owner   string      // of a unix socket, user[:group]
}

// String writes the address in its short form.
func (l Listener) String() string {
	scheme := ""
	if l.Plain {
		scheme = "http://"
	}
	switch {
	case l.Unix != "":
		return "unix:" + l.Unix
	case l.FD != "":
		return "fd:" + l.FD
	}
	return scheme + l.Address
}

// SetDir resolves the path of a unix socket.
func (l *Listener) SetDir(dir string) {
	if l.Unix != "" && !filepath.IsAbs(l.Unix) && l.Unix[0] != '@' {
		l.Unix = filepath.Join(dir, l.Unix)
	}
}

// UnmarshalOption reads the short form or {unix, mode, owner}.
func (l *Listener) UnmarshalOption(decode func(v any) error) error {
	var text listenerText
	err := decode(&text)
	if err == nil || text.tried {
		*l = text.Listener
		return err
	}
	long := struct {
		Unix  Path   `yaml:"unix"`
		Mode  string `yaml:"mode"`
		Owner string `yaml:"owner"`
	}{}
	if err := decode(&long); err != nil {
		return err
	}
	if long.Unix == "" {
		return errors.New("an address in long form needs unix, the path of a socket")
	}
	*l = Listener{Unix: string(long.Unix), Owner: long.Owner}
	if long.Mode != "" {
		mode, err := strconv.ParseUint(long.Mode, 8, 32)
		if err != nil || mode > 0o777 {
			return &optionError{"mode", fmt.Sprintf("%q is not a file mode (write it like \"0660\")", long.Mode)}
		}
		l.Mode = os.FileMode(mode)
	}
	return nil
}

// listenerText is the short form of a Listener.
type listenerText struct {
	Listener
	tried bool
}

// UnmarshalOption is not that of the Listener inside.
func (l *listenerText) UnmarshalOption(decode func(v any) error) error {
	var s string
	if err := decode(&s); err != nil {
		return err
	}
	l.tried = true
	return l.parse(s)
}

func (l *listenerText) parse(s string) error {
	if path, ok := strings.CutPrefix(s, "unix:"); ok && path != "" {
		l.Unix = path
		return nil
	}
	if name, ok := strings.CutPrefix(s, "fd:"); ok && name != "" {
		l.FD = name
		return nil
	}
	address, plain := strings.CutPrefix(s, "http://")
	host, port, ok := cutPort(strings.TrimSuffix(address, "/"))
	if !ok {
		return fmt.Errorf("%q is not an address to listen on (write it like 127.0.0.1:8080, :8080, unix:/run/mountd.sock or fd:http)", s)
	}
	*l = listenerText{Listener: Listener{Address: host + ":" + port, Plain: plain}, tried: true}
	return nil
}

func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", "", false
	}
	host, port = s[:i], s[i+1:]
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", false
	}
	bracketed := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	return host, port, bracketed || !strings.ContainsAny(host, ":/@[] ")
}

// JSONSchema describes both forms.
func (Listener) JSONSchema() map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]any{"anyOf": []any{text, map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"unix"},
		"properties": map[string]any{"unix": text, "mode": map[string]any{"type": "string", "pattern": "^[0-7]{3,4}$"}, "owner": text},
	}}}
}

// Listeners are one address or a list of them.
type Listeners []Listener

// UnmarshalOption reads one address or a list.
func (l *Listeners) UnmarshalOption(decode func(v any) error) error {
	var list []Listener
	err := decode(&list)
	if list != nil {
		if err == nil && len(list) == 0 {
			err = errors.New("no address to listen on")
		}
		*l = list
		return err
	}
	var one Listener
	err = decode(&one)
	*l = Listeners{one}
	return err
}

// JSONSchema describes both forms.
func (Listeners) JSONSchema() map[string]any {
	one := Listener{}.JSONSchema()
	return map[string]any{"anyOf": append(one["anyOf"].([]any), map[string]any{"type": "array", "minItems": 1, "items": one})}
}

func (l Listeners) String() string {
	texts := make([]string, len(l))
	for i, one := range l {
		texts[i] = one.String()
	}
	return strings.Join(texts, ", ")
}

// Path is the path of a file; a URL stands for itself.
type Path string

// SetDir resolves a relative path.
func (p *Path) SetDir(dir string) {
	if *p != "" && !filepath.IsAbs(string(*p)) && !strings.Contains(string(*p), "://") {
		*p = Path(filepath.Join(dir, string(*p)))
	}
}

// Control is auto, off or the path of a socket.
type Control string

// SetDir resolves a relative path.
func (c *Control) SetDir(dir string) {
	if *c != "auto" && *c != "off" {
		p := Path(strings.TrimPrefix(string(*c), "unix:"))
		p.SetDir(dir)
		*c = Control(p)
	}
}

// Level is the least level that is logged.
type Level string

// UnmarshalText accepts the known levels.
func (l *Level) UnmarshalText(text []byte) error {
	return oneOf((*string)(l), string(text), "debug", "info", "warn", "error")
}

// JSONSchema lists the levels.
func (Level) JSONSchema() map[string]any {
	return map[string]any{"enum": []string{"debug", "info", "warn", "error"}}
}

// Format is the form of the log.
type Format string

// UnmarshalText accepts the known formats.
func (f *Format) UnmarshalText(text []byte) error {
	return oneOf((*string)(f), string(text), "auto", "text", "json")
}

// JSONSchema lists the formats.
func (Format) JSONSchema() map[string]any {
	return map[string]any{"enum": []string{"auto", "text", "json"}}
}

func oneOf(p *string, text string, known ...string) error {
	if !slices.Contains(known, text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(known, ", "))
	}
	*p = text
	return nil
}

// Strings is a list of texts that may be written as a single one.
type Strings []string

// UnmarshalOption reads a list, or one text as a list of one.
func (s *Strings) UnmarshalOption(decode func(v any) error) error {
	var one string
	if decode(&one) == nil {
		*s = Strings{one}
		return nil
	}
	return decode((*[]string)(s))
}

// JSONSchema describes both forms.
func (Strings) JSONSchema() map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]any{"anyOf": []any{text, map[string]any{"type": "array", "items": text}}}
}

// Bytes is a number of bytes, written like 64KiB.
type Bytes int64

var byteUnits = map[string]int64{
	"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 1e3, "mb": 1e6, "gb": 1e9,
}

// UnmarshalText reads a whole number with an optional unit.
func (b *Bytes) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "kKmMgGiIbB ")
	unit, known := byteUnits[strings.ToLower(strings.TrimSpace(string(text[len(digits):])))]
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || !known || int64(n) > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size (write it like 512, 64KiB or 10MiB)", text)
	}
	*b = Bytes(int64(n) * unit)
	return nil
}

// MarshalText writes b with the largest unit that divides it.
func (b Bytes) MarshalText() ([]byte, error) {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if size := byteUnits[strings.ToLower(unit)]; b != 0 && int64(b)%size == 0 {
			return []byte(strconv.FormatInt(int64(b)/size, 10) + unit), nil
		}
	}
	return []byte(strconv.FormatInt(int64(b), 10)), nil
}

// JSONSchema describes a size.
func (Bytes) JSONSchema() map[string]any {
	return map[string]any{"type": []string{"string", "integer"}, "pattern": `^[0-9]+ ?([kKmMgG][iI]?)?[bB]?$|\$\{`, "minimum": 0}
}

// optionError is a mistake in one option.
type optionError struct{ path, message string }

func (e *optionError) Error() string      { return e.message }
func (e *optionError) OptionPath() string { return e.path }
