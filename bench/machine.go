package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)*`)

// machine tells where and of what the results are.
func (s settings) machine(ctx context.Context) string {
	parts := []string{fmt.Sprintf("Measured on %s: %d processors, Linux %s, %s", time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), said(ctx, "uname", "-r"), strings.Replace(runtime.Version(), "go", "Go ", 1))}
	for _, one := range []struct {
		name string
		args []string
	}{
		{"nginx", []string{"-v"}}, {"haproxy", []string{"-v"}}, {"caddy", []string{"version"}}, {"traefik", []string{"version"}}, {"wrk", []string{"-v"}},
	} {
		bin, err := s.find(one.name)
		if err != nil {
			parts = append(parts, one.name+" is missing")
			continue
		}
		if info, err := buildinfo.ReadFile(bin); err == nil && versionNumber.MatchString(info.Main.Version) {
			parts = append(parts, one.name+" "+versionNumber.FindString(info.Main.Version))
			continue
		}
		parts = append(parts, one.name+" "+said(ctx, bin, one.args...))
	}
	return strings.Join(parts, ", ") + "."
}

// said gives the first version number that a program prints.
func said(ctx context.Context, bin string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, bin, args...).CombinedOutput() // wrk -v fails
	return versionNumber.FindString(string(out))
}
