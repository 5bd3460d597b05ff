package builtin

import (
	"fmt"
	"strings"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
)

// authRules are those of every auth.* layer: side by side they are one gate,
// which decides behind the last of them.
func authRules() compose.Rules {
	return compose.Rules{
		Provides: []string{"auth"},
		Group:    "auth",
		End:      compose.End{Name: "auth", Doc: "refuses requests without a user, unless all auth.* that applied are optional", Wrap: auth.End, Transient: true},
	}
}

// authLayer makes the instance of a method.
func authLayer(m auth.Method, optional bool) compose.Instance {
	return compose.Instance{Wrap: auth.NewLayer(m, optional).Wrap}
}

// optionally adds to a description that a layer refuses nobody without
// credentials.
func optionally(optional bool, words ...string) string {
	if optional {
		words = append(words, "optional")
	}
	return strings.Join(words, ", ")
}

// userList is a password file, or a mapping from names to hashes.
type userList struct {
	file   option.File
	inline map[string]string
}

// UnmarshalOption reads either form.
func (u *userList) UnmarshalOption(decode func(any) error) error {
	if isScalar(decode) {
		return decode(&u.file)
	}
	return decode(&u.inline)
}

// JSONSchema describes the forms.
func (userList) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "description": "a file of user:hash lines, relative to the file it is written in"},
		map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}},
	}}
}

func (u userList) describe() string {
	if u.file != "" {
		return "users of " + string(u.file)
	}
	if len(u.inline) == 1 {
		return "1 user"
	}
	return fmt.Sprintf("%d users", len(u.inline))
}

func (u userList) config(env Env, workers *auth.Workers, groups map[string]option.Strings) auth.UsersConfig {
	cfg := auth.UsersConfig{File: string(u.file), Inline: u.inline, Workers: workers, Logger: env.Logger, Groups: map[string][]string{}}
	for g, members := range groups {
		cfg.Groups[g] = members
	}
	return cfg
}
