package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version string

func showVersion(_ context.Context, a *app) error {
	if _, err := a.flagsAlone(nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "edgechat %s %s %s/%s\n", releaseName(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// releaseName is what the build was told, else what the toolchain knows of the
// module ("go install ...@v1.2.3", or the state of the repository).
func releaseName() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
