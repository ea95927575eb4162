//go:build !linux

package main

func machineMemory() int64 { return 0 } // then the heap has no limit

func cgroupMemory(self, root string) (int64, string) { return 0, "" }
