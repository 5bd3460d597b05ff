//go:build !race

package mountfile_test

const scale = 1
