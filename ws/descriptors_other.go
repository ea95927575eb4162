//go:build !unix

package ws

func maxDescriptors() int { return 0 }
