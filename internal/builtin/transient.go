package builtin

import "github.com/mountd/mountd/compose"

// The parts that use nothing of a request once it has been served, or tell its
// record so where they do ([compose.Factory].Transient). A part comes onto the
// list when all of its code has been read for: goroutines, timers, context
// children and callbacks that outlive ServeHTTP; pools and fields of its own
// that the request, its context or the response writer stay in; and recover
// without a call of Keep.
var (
	transientLayers = []string{
		"access_log", "auth.basic", "auth.bearer", "auth.cert", "auth.form", "auth.forward", "auth.header", "auth.key", "auth.oidc", "compress", "cors", "csrf",
		"errors", "headers", "ip", "limit.body", "limit.concurrent", "limit.rate", "request_id", "require", "rewrite", "secure_headers", "session", "share", "timeout",
	}
	transientApps = []string{"cascade", "proxy", "redirect", "respond", "static", "switch"}
)

func markLayers(all compose.Registry) compose.Registry {
	for _, name := range transientLayers {
		f := all[name]
		f.Transient = true
		all[name] = f
	}
	return all
}

func markApps(all compose.Apps) compose.Apps {
	for _, name := range transientApps {
		k := all[name]
		k.Transient = true
		all[name] = k
	}
	return all
}
