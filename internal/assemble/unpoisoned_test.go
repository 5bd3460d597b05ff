//go:build !poison

package assemble_test

const poisoned = false
