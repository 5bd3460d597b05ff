package mountfile

import (
	"bytes"
	"regexp"
	"strings"
)

// In a YAML flow, as in {port: ${PORT}}, braces end a plain text. So that
// variables need no quotes there, their braces are other characters while YAML
// is read; places in the file stay what they are.
const (
	maskedOpen  = '\uE000'
	maskedClose = '\uE001'
)

var maskable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*(?::-[^\s{}\[\]"',#]*)?|file:[^\s{}\[\]"',#]*)\}`)

var unmasker = strings.NewReplacer(string(maskedOpen), "{", string(maskedClose), "}")

func mask(data []byte) []byte {
	if bytes.ContainsRune(data, maskedOpen) || bytes.ContainsRune(data, maskedClose) {
		return data
	}
	return maskable.ReplaceAll(data, []byte("$$"+string(maskedOpen)+"$1"+string(maskedClose)))
}

// unmask gives the text as it is written.
func (d *document) unmask(s string) string {
	if !d.masked {
		return s
	}
	return unmasker.Replace(s)
}
