package issuer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Claims are what a token says. Numbers are [json.Number].
type Claims map[string]any

const maxDepth = 16

// ParseClaims reads a JSON object. A member that is there twice is a mistake:
// two readers could see two different tokens.
func ParseClaims(data []byte) (Claims, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return m, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, errors.New("not JSON")
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == maxDepth {
		return nil, errors.New("nested too deeply")
	}
	if delim == '[' {
		return parseList(d, depth)
	}
	return parseObject(d, depth)
}

func parseList(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := parseValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("not JSON")
	}
	return list, nil
}

func parseObject(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errors.New("not JSON")
		}
		if _, twice := object[name]; twice {
			return nil, errors.New("a member is there twice")
		}
		if object[name], err = parseValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("not JSON")
	}
	return object, nil
}

func decodePart(encoded string) (Claims, error) {
	data, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return ParseClaims(data)
}

// Lookup gives the claim of that name, or else the one that the parts between
// dots lead to: "realm_access.roles".
func (c Claims) Lookup(path string) (any, bool) {
	if v, ok := c[path]; ok {
		return v, true
	}
	for i := 0; i < len(path); i++ {
		if path[i] != '.' {
			continue
		}
		if inner, ok := c[path[:i]].(map[string]any); ok {
			return Claims(inner).Lookup(path[i+1:])
		}
	}
	return nil, false
}

// Text gives a claim that must be a text where it is present.
func (c Claims) Text(path string) (string, error) {
	v, found := c.Lookup(path)
	if !found || v == nil {
		return "", nil
	}
	s, ok := v.(string)
	if !ok {
		return "", invalid("the claim %s is not a text", path)
	}
	return s, nil
}

// optionalText is Text of a registered claim, where null is a mistake.
func (c Claims) optionalText(name string) (string, error) {
	v, found := c[name]
	s, ok := v.(string)
	if found && !ok {
		return "", invalid("%s is not a text", name)
	}
	return s, nil
}

// List gives a claim that must be a text or a list of texts where it is
// present. Scopes are a text with blanks between them (RFC 6749, 3.3).
func (c Claims) List(path string) ([]string, error) {
	v, found := c.Lookup(path)
	if !found || v == nil {
		return nil, nil
	}
	switch v := v.(type) {
	case string:
		if path == "scope" || path == "scp" {
			return strings.Fields(v), nil
		}
		return []string{v}, nil
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, invalid("the claim %s is not a list of texts", path)
			}
			list = append(list, s)
		}
		return list, nil
	}
	return nil, invalid("the claim %s is neither a text nor a list of texts", path)
}

// Time gives a registered claim that must be a time where it is present: a
// number of seconds, whole and not negative.
func (c Claims) Time(name string) (t time.Time, found bool, err error) {
	v, found := c[name]
	if !found {
		return t, false, nil
	}
	n, ok := v.(json.Number)
	if !ok || len(n) > 11 || strings.Trim(string(n), "0123456789") != "" {
		return t, true, invalid("%s is not a time", name)
	}
	seconds, err := n.Int64()
	if err != nil {
		return t, true, invalid("%s is not a time", name)
	}
	return time.Unix(seconds, 0), true, nil
}

// CheckAudience makes sure that aud names one of wanted, or anything if there
// are none.
func (c Claims) CheckAudience(wanted []string) error {
	var audience []string
	switch v := c["aud"].(type) {
	case nil:
		if _, found := c["aud"]; found {
			return invalid("aud is null")
		}
	case string:
		audience = []string{v}
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return invalid("aud is not a list of texts")
			}
			audience = append(audience, s)
		}
	default:
		return invalid("aud is neither a text nor a list of texts")
	}
	if len(wanted) == 0 {
		return nil
	}
	for _, a := range audience {
		if slices.Contains(wanted, a) {
			return nil
		}
	}
	return invalid("it is meant for somebody else (aud)")
}

// VerifiedEmail gives the e-mail address of a token that says its issuer has
// verified it, "" where there is none.
func (c Claims) VerifiedEmail(path string) (string, error) {
	email, err := c.Text(path)
	if err != nil || email == "" {
		return "", err
	}
	flag := "email_verified"
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		flag = path[:i+1] + flag
	}
	// Some providers write the flag as a text.
	if verified, _ := c.Lookup(flag); verified != true && verified != "true" {
		return "", nil
	}
	if strings.Count(email, "@") != 1 || email[0] == '@' || email[len(email)-1] == '@' || strings.ContainsFunc(email, notEmail) {
		return "", invalid("the claim %s is not an e-mail address", path)
	}
	return email, nil
}

func notEmail(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`,;<>"\`, r) }
