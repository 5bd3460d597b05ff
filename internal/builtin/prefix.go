package builtin

import (
	"errors"
	"net/http"
	"os"
	"strings"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/request"
)

// publicPrefix is what the client wrote before the path that the application
// sees: what a trusted proxy has stripped, and the mount's own prefix.
func publicPrefix(r *http.Request) string {
	script := dispatcher.RawScriptName(r)
	if rec := request.From(r.Context()); rec != nil && rec.Prefix != "" {
		return rec.Prefix + script
	}
	return script
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// renamePath says where the option stands in the table when the package that
// refuses it calls it otherwise.
func renamePath(err error, path string) error {
	var option interface{ OptionPath() string }
	if !errors.As(err, &option) {
		return err
	}
	if !strings.HasPrefix(option.OptionPath(), "exports") {
		return err
	}
	return &compose.OptionError{Path: path, Err: err}
}
