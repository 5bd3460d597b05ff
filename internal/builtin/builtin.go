// Package builtin holds the names that a mount table may use: every
// middleware and every kind of application that mountd has, with the
// operator's spelling of their options.
//
// It alone knows them all. Defaults stand in the option structs, so that the
// schema and the reference can show them.
package builtin

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
)

// Env is what middlewares and applications need of the program around them.
type Env struct {
	Logger         *slog.Logger
	Stdout, Stderr io.Writer
	Terminal       bool     // Stderr is a terminal, for people
	Color          bool     // that shows colours
	Redact         []string // query parameters that logs must not hold
	Debug          bool     // debug pages unless the table says otherwise
	Reopen         *Reopener
	Sessions       *Sessions // nil: nobody asks
	Silent         bool      // access logs go nowhere: the site is only looked at
	ClientCA       bool      // clients are asked for certificates
	TrustsProxies  bool      // some peers are trusted proxies
}

// Middlewares gives the middlewares by name.
func Middlewares(env Env) compose.Registry {
	workers := auth.NewWorkers(0)
	return markLayers(compose.Registry{
		"access_log":       accessLog(env),
		"auth.basic":       basicAuth(env, workers),
		"auth.bearer":      bearerAuth(env),
		"auth.cert":        certAuth(env),
		"auth.form":        formLogin(env, workers),
		"auth.forward":     forwardedAuth(env),
		"auth.header":      headerAuth(env),
		"auth.key":         keyAuth(),
		"auth.oidc":        oidcLogin(env),
		"compress":         compression(),
		"cors":             crossOrigin(),
		"csrf":             requestForgery(),
		"errors":           errorPages(env),
		"headers":          headerFields(),
		"ip":               addresses(),
		"limit.body":       bodyLimit(),
		"limit.concurrent": concurrencyLimit(),
		"limit.rate":       rateLimit(),
		"request_id":       requestID(),
		"require":          requirement(),
		"rewrite":          rewriting(),
		"secure_headers":   secureHeaders(),
		"session":          sessions(env),
		"share":            share(),
		"timeout":          answerTimeout(),
	})
}

// Apps gives the kinds of applications by their key.
func Apps() compose.Apps {
	return markApps(compose.Apps{
		"cascade":  cascading(),
		"proxy":    proxying(),
		"redirect": redirecting(),
		"respond":  responding(),
		"static":   static(),
		"switch":   switching(),
	})
}

// checkParams refuses {names} that the mount's pattern does not capture.
func checkParams(ctx compose.AppContext, path, text string) error {
	for _, name := range option.Captures(text) {
		known := false
		for _, p := range ctx.Params {
			known = known || p == name
		}
		if known {
			continue
		}
		hint := "it captures nothing"
		if len(ctx.Params) > 0 {
			hint = "it captures {" + strings.Join(ctx.Params, "}, {") + "}"
		}
		return &compose.OptionError{Path: path, Err: fmt.Errorf("{%s} is not captured by the pattern %q (%s)", name, ctx.Pattern, hint)}
	}
	return nil
}
