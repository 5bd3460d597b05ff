package e2e_test

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// builds is where the program is built.
var builds string

func TestMain(m *testing.M) {
	var err error
	if builds, err = os.MkdirTemp("", "mountd-e2e"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Tests tell the daemons in this process to reload: the signal must not
	// end it while none of them listens.
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	code := m.Run()
	signal.Stop(hups)
	_ = os.RemoveAll(builds)
	if code == 0 {
		if err := goleak.Find(goleak.IgnoreTopFunction("os/signal.loop"), goleak.IgnoreAnyFunction("os/signal.signal_recv")); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left:", err)
			code = 1
		}
	}
	os.Exit(code)
}
