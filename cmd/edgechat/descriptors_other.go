//go:build !unix

package main

func maxDescriptors() int64 { return 0 }
