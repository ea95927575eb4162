//go:build !race

package edgetest

// Race says whether the race detector is on. sync.Pool then drops what it is
// given at random, so that allocations say nothing.
const Race = false
