//go:build !linux

package server

func kernelWritten() uint64 { return 0 }
func residentBytes() uint64 { return 0 }
func openDescriptors() int  { return 0 }
func descriptorLimit() int  { return 0 }

func medium(string) (name string, free uint64) { return "unknown", 0 }
