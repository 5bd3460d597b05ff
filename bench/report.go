package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// report holds the outcomes of this run, and of earlier ones for the cases
// that this one leaves out.
type report struct {
	Machine  string
	Outcomes []*outcome
}

const resultsFile = "results.json"

func readReport(dir string) (*report, error) {
	text, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &report{}, nil
	}
	if err != nil {
		return nil, err
	}
	var rep report
	if err := json.Unmarshal(text, &rep); err != nil {
		return nil, fmt.Errorf("%s (remove it to start anew): %w", filepath.Join(dir, resultsFile), err)
	}
	return &rep, nil
}

// add puts an outcome in the place of an earlier one of the same case, and
// keeps the order of the cases.
func (rep *report) add(o *outcome) {
	rep.Outcomes = append(slices.DeleteFunc(rep.Outcomes, func(old *outcome) bool { return old.Case == o.Case }), o)
	order := map[string]int{}
	for i, m := range measurements() {
		order[m.id()] = i
	}
	slices.SortStableFunc(rep.Outcomes, func(a, b *outcome) int { return order[a.Case] - order[b.Case] })
}

func (rep *report) write(s settings) error {
	text, err := json.MarshalIndent(rep, "", " ")
	if err != nil {
		return err
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(s.out, resultsFile), text, 0o644),
		os.WriteFile(filepath.Join(s.out, "results.md"), []byte(rep.markdown()), 0o644),
		os.WriteFile(filepath.Join(s.out, "results.svg"), rep.plot(), 0o644),
	)
	if err != nil || s.update == "" {
		return err
	}
	return rep.update(s.update)
}

// What stands between these lines of a file belongs to this program.
const (
	generatedBegin = "<!-- written by bench -update: begin -->\n"
	generatedEnd   = "<!-- written by bench -update: end -->\n"
)

// update writes the tables into a Markdown file, and the plot beside it.
func (rep *report) update(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), generatedBegin)
	_, after, ended := strings.Cut(rest, generatedEnd)
	if !ok || !ended {
		return fmt.Errorf("%s has no lines %q and %q to write between", file, strings.TrimSpace(generatedBegin), strings.TrimSpace(generatedEnd))
	}
	return errors.Join(
		os.WriteFile(file, []byte(before+generatedBegin+"\n"+rep.markdown()+"\n"+generatedEnd+after), 0o644),
		os.WriteFile(filepath.Join(filepath.Dir(file), "results.svg"), rep.plot(), 0o644),
	)
}

// markdown writes the commands, the goals, and then every case.
func (rep *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n```\n", rep.Machine)
	for _, run := range rep.commands() {
		b.WriteString(run + "\n")
	}
	b.WriteString("```\n\n## Goals\n\n")
	met, all := 0, 0
	lines := verdictHead
	for _, o := range rep.Outcomes {
		for _, v := range o.Verdicts {
			all++
			if v.Met {
				met++
			}
			lines += v.line("`" + o.Case + "` ")
		}
	}
	fmt.Fprintf(&b, "%d of %d met.\n\n%s\n## Cases\n\n![requests per second as a multiple of nginx](results.svg)\n", met, all, lines)
	for _, o := range rep.Outcomes {
		b.WriteString("\n" + o.table())
	}
	return b.String()
}

// commands gives each command line once, with the day it ran.
func (rep *report) commands() []string {
	var all []string
	for _, o := range rep.Outcomes {
		day, _, _ := strings.Cut(o.When, " ")
		line := fmt.Sprintf("%s    # %s", o.Command, day)
		if !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}
