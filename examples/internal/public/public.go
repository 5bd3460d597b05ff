// Package public holds the files that the example sites serve.
package public

import "embed"

// FS has an index.html and what it needs.
//
//go:embed *.html *.css
var FS embed.FS
