package cli

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/terminal"
)

// explanation is what would happen to a request.
type explanation struct {
	Request  string           `json:"request"`
	Host     string           `json:"host"`
	Client   string           `json:"client"`
	Path     string           `json:"path,omitempty"` // canonical
	Mount    string           `json:"mount,omitempty"`
	Pattern  string           `json:"pattern,omitempty"`
	Place    string           `json:"place,omitempty"` // file:line:column
	Why      []string         `json:"why,omitempty"`
	Layers   []explainedLayer `json:"layers"`
	App      *explainedApp    `json:"app,omitempty"`
	Answer   *answer          `json:"answer,omitempty"`
	Rejected string           `json:"rejected,omitempty"`
}

type explainedLayer struct {
	compose.Info
	Outcome string `json:"outcome"` // runs, answers, skipped, not reached
}

type explainedApp struct {
	Kind       string            `json:"kind"`
	ScriptName string            `json:"script_name"`
	Path       string            `json:"path"`
	Params     map[string]string `json:"params,omitempty"`
	Sent       *compose.Preview  `json:"sent,omitempty"`
}

// answer is what mountd itself would answer.
type answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Error  string      `json:"error,omitempty"`
}

func (e *explanation) print(w io.Writer) {
	style := terminal.Colours(w)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s %s\n", style.Bold(fmt.Sprintf("%-8s", name)), fmt.Sprintf(format, args...))
	}
	line("request", "%s  host %s  client %s", e.Request, e.Host, e.Client)
	if e.Path != "" {
		line("path", "%s", e.Path)
	}
	if e.Rejected != "" {
		line("refused", "%d %s", e.Answer.Status, e.Answer.Error)
		return
	}
	if e.Mount != "" {
		line("mount", "%s  at %s", e.Mount, e.Place)
	}
	for _, why := range e.Why {
		line("", "%s", why)
	}
	for i, l := range e.Layers {
		name := ""
		if i == 0 {
			name = "chain"
		}
		line(name, "%s", l.text(style))
	}
	if e.App != nil {
		line("app", "%s  script name %q  path %q", e.App.Kind, e.App.ScriptName, e.App.Path)
		for _, name := range slices.Sorted(maps.Keys(e.App.Params)) {
			line("", "{%s} = %s", name, e.App.Params[name])
		}
		if s := e.App.Sent; s != nil {
			line("sends", "%s %s", s.Method, s.Target)
			printHeader(w, s.Header)
			for _, n := range s.Notes {
				line("", "%s", n)
			}
		}
	}
	if e.Answer != nil {
		text := fmt.Sprintf("%d %s", e.Answer.Status, http.StatusText(e.Answer.Status))
		if why := e.Answer.Error; why != "" && why != http.StatusText(e.Answer.Status) {
			text += ": " + strings.TrimPrefix(why, http.StatusText(e.Answer.Status)+": ")
		}
		line("answer", "%s", text)
		printHeader(w, e.Answer.Header)
	}
}

func (l explainedLayer) text(style terminal.Palette) string {
	s := l.Name
	if l.Label != "" {
		s += " (" + l.Label + ")"
	}
	if l.Detail != "" {
		s += "  " + l.Detail
	}
	switch l.Outcome {
	case "answers":
		s += "  " + style.Yellow("answers")
	case "skipped":
		s += "  " + style.Dim("skipped by its condition")
	case "not reached":
		s += "  " + style.Dim("not reached")
	}
	if l.When != "" {
		s += "  when " + l.When
	}
	if l.Except != "" {
		s += "  except " + l.Except
	}
	return s
}

func printHeader(w io.Writer, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			fmt.Fprintf(w, "           %s: %s\n", name, v)
		}
	}
}
