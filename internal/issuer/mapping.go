package issuer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// A Mapping says which claims tell what of a user. Each is the name of a
// claim, or a path to it with dots.
type Mapping struct{ User, Groups, Name, Email string }

// WithDefaults fills what is empty.
func (m Mapping) WithDefaults() Mapping {
	for _, f := range []struct {
		field *string
		claim string
	}{{&m.User, "sub"}, {&m.Groups, "groups"}, {&m.Name, "name"}, {&m.Email, "email"}} {
		if *f.field == "" {
			*f.field = f.claim
		}
	}
	return m
}

// A Person is what claims tell of a user.
type Person struct {
	Name, DisplayName, Email string
	Groups                   []string
}

const (
	maxText   = 1024
	maxGroups = 1000
)

// Read takes a person from claims. An e-mail address counts only if the issuer
// says that it has verified it.
func (m Mapping) Read(c Claims) (p Person, err error) {
	var errs [4]error
	p.Name, errs[0] = c.Text(m.User)
	p.Groups, errs[1] = c.List(m.Groups)
	p.DisplayName, errs[2] = c.Text(m.Name)
	p.Email, errs[3] = c.VerifiedEmail(m.Email)
	for _, err := range errs {
		if err != nil {
			return Person{}, err
		}
	}
	if m.User == m.Email || m.User == "email" || strings.HasSuffix(m.User, ".email") {
		if p.Name, err = c.VerifiedEmail(m.User); err != nil {
			return Person{}, err
		}
		if p.Name == "" {
			return Person{}, invalid("it has no verified e-mail address, which would name the user")
		}
	}
	if p.Name == "" {
		return Person{}, invalid("the claim %s, which names the user, is missing", m.User)
	}
	if err := p.check(); err != nil {
		return Person{}, invalid("%v", err)
	}
	return p, nil
}

func (p *Person) check() error {
	if len(p.Groups) > maxGroups {
		return fmt.Errorf("more than %d groups", maxGroups)
	}
	for _, text := range append([]string{p.Name, p.DisplayName, p.Email}, p.Groups...) {
		if len(text) > maxText {
			return fmt.Errorf("a name is longer than %d bytes", maxText)
		}
		if strings.ContainsFunc(text, unicode.IsControl) {
			return errors.New("a name holds control characters")
		}
	}
	return nil
}
