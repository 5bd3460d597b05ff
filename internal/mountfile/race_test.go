//go:build race

package mountfile_test

// scale divides the sizes of large inputs: the race detector makes reading
// them about twenty times slower.
const scale = 16
