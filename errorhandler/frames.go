package errorhandler

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

const (
	maxFrames   = 64
	sourceLines = 5       // shown before and after the line
	maxSource   = 4 << 20 // bytes of a file that are looked at
)

// callers gives the stack of the caller's caller, skip frames further up.
func callers(skip int) []uintptr {
	pcs := make([]uintptr, maxFrames)
	return pcs[:runtime.Callers(skip+2, pcs)]
}

// panicStack gives the stack of the caller's caller or, in a deferred call
// that is recovering, the one at the panic, without the machinery of
// panicking.
func panicStack() []uintptr {
	pcs := callers(1)
	for i, pc := range pcs {
		if name(pc) != "runtime.gopanic" {
			continue
		}
		for i++; i < len(pcs) && strings.HasPrefix(name(pcs[i]), "runtime."); i++ {
		}
		return pcs[i:]
	}
	return pcs
}

func name(pc uintptr) string {
	if f := runtime.FuncForPC(pc - 1); f != nil {
		return f.Name()
	}
	return ""
}

// stackLines gives one text to a frame, for logs.
func stackLines(stack []uintptr) []string {
	var lines []string
	each(stack, func(f runtime.Frame) {
		lines = append(lines, f.Function+" "+f.File+":"+strconv.Itoa(f.Line))
	})
	return lines
}

func each(stack []uintptr, do func(runtime.Frame)) {
	if len(stack) == 0 {
		return
	}
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if f.Function != "" {
			do(f)
		}
		if !more {
			return
		}
	}
}

// frame is a call as the debug page shows it.
type frame struct {
	Function, File string
	Line           int
	App            bool // neither the standard library, nor a downloaded module, nor this package
	Source         []sourceLine
}

type sourceLine struct {
	Number int
	Text   string
	Here   bool
}

func framesOf(stack []uintptr) []frame {
	var frames []frame
	each(stack, func(f runtime.Frame) {
		fr := frame{Function: f.Function, File: f.File, Line: f.Line, App: isApp(f)}
		fr.Source = readSource(f.File, f.Line)
		frames = append(frames, fr)
	})
	return frames
}

func isApp(f runtime.Frame) bool {
	if strings.Contains(f.File, "/pkg/mod/") || strings.Contains(f.File, "@v") || strings.Contains(f.File, "/vendor/") {
		return false
	}
	if isPlumbing(f.File) {
		return false
	}
	if root := strings.TrimSuffix(fileOf(http.Error), "net/http/server.go"); root != "" {
		return !strings.HasPrefix(f.File, root)
	}
	// The paths were trimmed: packages of the standard library have no dot in
	// the first part of their path.
	first, _, below := strings.Cut(f.Function, "/")
	return strings.HasPrefix(f.Function, "main.") || below && strings.Contains(first, ".")
}

// isPlumbing reports the packages through which an error comes here. Their
// functions may have been inlined into others, but not their files.
func isPlumbing(file string) bool {
	dir := filepath.Dir(file)
	own := dir == filepath.Dir(fileOf(Recover)) || dir == filepath.Dir(fileOf(request.Fail))
	return own && !strings.HasSuffix(file, "_test.go")
}

// fileOf gives the source file of a function, as the compiler saw it.
func fileOf(function any) string {
	pc := reflect.ValueOf(function).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	return file
}

// readSource gives the lines around one, or none where the sources are not at
// hand.
func readSource(path string, line int) []sourceLine {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return nil
	}
	var lines []sourceLine
	scanner := bufio.NewScanner(file)
	for n := 1; n <= line+sourceLines && scanner.Scan(); n++ {
		if n >= line-sourceLines {
			lines = append(lines, sourceLine{n, scanner.Text(), n == line})
		}
	}
	return lines
}
