package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what the processes of a group have used.
type usage struct {
	cpu    time.Duration
	memory int64 // bytes
	own    int64 // of the memory, what is no page of a file
}

// usage adds up the process and its children. Pages of files, the program
// above all, count once: they are shared within the group. That another group
// runs the same program makes none of them look smaller, which adding up the
// proportional set sizes would.
func (p *process) usage() usage {
	var u usage
	var files int64
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		i := strings.LastIndexByte(string(stat), ')')
		f := strings.Fields(string(stat[i+1:]))
		if len(f) < 22 || f[2] != strconv.Itoa(p.cmd.Process.Pid) {
			continue // another process group
		}
		utime, _ := strconv.ParseInt(f[11], 10, 64)
		stime, _ := strconv.ParseInt(f[12], 10, 64)
		u.cpu += time.Duration(utime+stime) * 10 * time.Millisecond
		u.own += kibibytes(dir+"/smaps_rollup", "Pss_Anon:") + kibibytes(dir+"/smaps_rollup", "Pss_Shmem:")
		files = max(files, kibibytes(dir+"/status", "RssFile:"))
	}
	u.memory = u.own + files
	return u
}

// kibibytes gives the bytes that a line of a file in /proc tells.
func kibibytes(file, key string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, key); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
