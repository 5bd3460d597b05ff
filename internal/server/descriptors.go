package server

import "golang.org/x/sys/unix"

// defaultMaxConns leaves descriptors for upstreams, files and logs. 0: there
// is no limit to keep to.
func defaultMaxConns() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur > 1<<30 {
		return 0
	}
	return max(int(limit.Cur)*3/5, 1)
}
