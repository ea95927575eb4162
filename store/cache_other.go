//go:build !(linux && (amd64 || arm64))

package store

import "os"

// dropCache does nothing: what memory holds of the file is taken for what is on disk.
func dropCache(*os.File) {}
